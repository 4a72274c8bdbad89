/** What plots/web/facts.py writes into the page. Times are ns since the trace's begin; colours [light, dark]. */
export type Colour = [string, string];

export interface StateFacts {
  number: number;
  name: string;
  label: string;
  colour: Colour;
  /** As matplotlib has it: "/" lines, "." dots, "" none; drawn in `ink`. */
  hatch: string;
  ink: Colour;
  height: number;
  rare: boolean;
}

export interface LaneFacts {
  name: string;
  tid: number;
  /** It had next to nothing to do with the GIL, and hardly computed. */
  idle: boolean;
  process: number;
  begin: number;
  end: number;
  intervals: number;
  /** The first boundary, in steps. */
  first: number;
  /** Its first block, and the one after its last. */
  blocks: [number, number];
  /** Bins of exact shares, each `width` ns; 0: it is drawn from its intervals at any zoom. */
  bins: number;
  width: number;
  written: number[];
  derived: number;
  colour: Colour;
}

export interface PatternFacts {
  name: string;
  score: number;
  begin: number;
  end: number;
  lanes: number[];
  sentence: string;
}

export interface LineFacts {
  place: number;
  waited: number;
  holds: number;
  requested: number;
  longest: number;
  threads: number;
  longest_at: number;
}

export interface WaitFacts {
  lane: number;
  begin: number;
  duration: number;
  place: number;
  anatomy: Record<string, number>;
}

export interface Amounts {
  time_ns: Record<string, number>;
  states_ns: Record<string, number> | null;
  counts: Record<string, number>;
  wait_ns: Record<string, number | null>;
  hold_ns: Record<string, number | null>;
}

export interface ThreadSummary extends Amounts {
  tid: number;
  name: string;
}

export interface Facts {
  title: string;
  length: number;
  step: number;
  complete: boolean;
  view: [number, number];
  planes: { blocks: number; tags: number; durations: number };
  states: StateFacts[];
  groups: { held: number[]; waiting: number; without: number[]; unknown: number; locked: number[] };
  colours: Record<string, Colour>;
  lanes: LaneFacts[];
  processes: { pid: number; name: string; gils: number[]; version: string }[];
  gils: { process: number; name: string }[];
  places: [string, string, string][];
  words: Record<string, string> & { keys: [string, string][] };
  sentences: string[];
  patterns: PatternFacts[];
  lines: { total: number; nobody: number; rows: LineFacts[] };
  waits: WaitFacts[];
  said: {
    spans: { lane: number[]; begin: number[]; duration: number[]; row: number[]; name: number[] };
    marks: { lane: number[]; time: number[]; name: number[] };
    figures: { name: number; count: number; p50: number; p99: number; max: number; total: number; parts: number[] }[];
    slowest: { name: number; lane: number; begin: number; duration: number; parts: number[]; delays: string[] }[];
    parts: string[];
    left_out: number;
    names: string[];
  };
  /** Waits for locks: `lock`, `place` and `waker_place` are of `names`; `waker` and `woke` -1: not known. */
  locks: {
    lane: number[];
    begin: number[];
    duration: number[];
    lock: number[];
    place: number[];
    waker: number[];
    woke: number[];
    waker_place: number[];
    names: string[];
  };
  summary: { processes: { pid: number; threads: ThreadSummary[] }[] };
}

/** The intervals of one block: number i goes from `bounds[i]` to `bounds[i + 1]`, ns. */
export interface Block {
  count: number;
  bounds: Float64Array;
  state: Uint8Array;
  unfinished: Uint8Array;
  place: Int32Array;
  about: Int32Array;
}

/** One interval of a lane: which one, and what it is. */
export interface Interval {
  lane: number;
  block: number;
  at: number;
  begin: number;
  end: number;
  state: number;
  unfinished: boolean;
  place: number;
  about: number;
}
