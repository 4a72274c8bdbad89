"""What the traced interpreter runs before the program: pure Python that every version from 2.7 on reads."""
