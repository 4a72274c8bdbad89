"""Build of the compiled parts; what the package is otherwise stands in setup.cfg.

Six things are compiled: the native core (plain C that any interpreter can load, so it is no extension
module), the Cython module that is Python's way to it, the C module of marks, the machine of the what-if
replay (Python with types beside it: it runs without a compiler too, slowly), the one pass of the analysis
over all events (scan, fold), and, only in place, the Cython part of examples/nogil.py.

Environment: GILSCOPE_COMPILED=1 says that all is compiled in place already (an editable installation would
compile it once more, elsewhere), GILSCOPE_WERROR=1 makes the core's warnings errors,
GILSCOPE_SANITIZE=address,undefined builds the core with these sanitizers, CC and CFLAGS mean what they always
mean.
"""

import os
import shlex
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError
from setuptools.modified import newer_group

CORE = "tracer.native.libgilscope"
WHATIF = "analysis.whatif"
MACHINE = ("agenda", "machine", "rows")
FOLD = (
    "analysis.fold.passing",
    "analysis.fold.brief",
    "analysis.fold.coverage",
    "analysis.reader.sched.by_task",
    "analysis.reader.streams.scan",
    "analysis.tables.cpu.switches",
    "analysis.why.locks.pieces",
)
EXAMPLE = "examples._countdown"
NATIVE = Path("tracer/native")

# initial-exec: the hooks run where no allocation is allowed, and the first touch of a lazily made TLS block
# is one. nodelete: a thread may be inside a hook at any time, so the core can't be unloaded. now: no lazy
# binding inside a hook.
CORE_FLAGS = shlex.split(
    "-std=gnu11 -O2 -g1 -fPIC -fno-plt -fvisibility=hidden -ftls-model=initial-exec -Wall -Wextra -shared"
    " -Wl,-z,nodelete -Wl,-z,now"
)
CORE_LIBRARIES = ["-lpthread", "-ldl"]


class BuildExtensions(build_ext):
    """build_ext that also makes the core, and keeps the example out of what is installed."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if not self.inplace:
            self.extensions: list[Extension] = [ext for ext in self.extensions if ext.name != EXAMPLE]

    def get_ext_filename(self, fullname: str) -> str:
        # Without the interpreter's suffix: it serves every interpreter. (Asked with and without the package.)
        if fullname in (CORE, CORE.rpartition(".")[2]):
            return fullname.replace(".", "/") + ".so"
        return str(super().get_ext_filename(fullname))

    def build_extensions(self) -> None:
        """Translate what is Cython's, one after the other; then run as many compilers as there are CPUs."""
        self.parallel: int = getattr(self, "parallel", None) or len(os.sched_getaffinity(0))
        if any(not source.endswith(".c") for ext in self.extensions for source in ext.sources):
            from Cython.Build import cythonize

            made = cythonize(self.extensions, force=self.force, quiet=True)  # type: ignore[no-untyped-call]
            sources = {ext.name: ext.sources for ext in made}
            for ext in self.extensions:
                ext.sources = sources[ext.name]
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        if ext.name == CORE:
            self.build_core(ext)
        else:
            super().build_extension(ext)

    def build_core(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        flags = CORE_FLAGS.copy()
        if os.environ.get("GILSCOPE_WERROR") == "1":
            flags.append("-Werror")
        if sanitizers := os.environ.get("GILSCOPE_SANITIZE"):
            flags += [f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
        flags += shlex.split(os.environ.get("CFLAGS", ""))
        compiler = shlex.split(os.environ.get("CC", "cc"))
        command = [*compiler, *flags, f"-I{NATIVE}", *ext.sources, "-o", str(target), *CORE_LIBRARIES]

        # The command is part of what the result depends on: a build after a sanitizer build is a new one.
        record = Path(self.build_temp, "libgilscope.command")
        same_command = record.exists() and record.read_text() == shlex.join(command)
        if same_command and not (self.force or newer_group([*ext.sources, *ext.depends], str(target))):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.spawn(command)
        except Exception as error:
            raise CompileError(f"gilscope's native core does not compile: {error}") from error
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(shlex.join(command))


def extensions() -> list[Extension]:
    headers = sorted(map(str, NATIVE.rglob("*.h")))
    types = sorted(map(str, Path("analysis/whatif").glob("*.pxd")))
    of_fold = sorted(map(str, [Path("analysis/growing.pxd"), *Path("analysis/fold").rglob("*.pxd")]))
    return [
        Extension(CORE, sorted(map(str, NATIVE.rglob("*.c"))), depends=headers),
        Extension("tracer._recorder", ["tracer/_recorder.pyx"], include_dirs=[str(NATIVE)], depends=headers),
        Extension("tracer._marks", ["tracer/_marks.c"], include_dirs=[str(NATIVE)], depends=headers),
        *(Extension(f"{WHATIF}.{name}", [f"analysis/whatif/{name}.py"], depends=types) for name in MACHINE),
        *(Extension(name, [f"{name.replace('.', '/')}.pyx"], depends=of_fold) for name in FOLD),
        Extension(EXAMPLE, ["examples/_countdown.pyx"]),
    ]


if not sys.platform.startswith("linux"):
    raise SystemExit("gilscope works on Linux only: it reads the interpreter's ELF relocations.")
compiled = os.environ.get("GILSCOPE_COMPILED") == "1"
setup(ext_modules=[] if compiled else extensions(), cmdclass={"build_ext": BuildExtensions})
