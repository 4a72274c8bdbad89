"""What a recording is made of: its intervals in brief, the order of its locks, the work and the answers."""
