"""The suite under each interpreter that is there: `nox`, or `nox -s tests-3.13`."""

import nox

nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13", "3.14", "3.15"])
def tests(session: nox.Session) -> None:
    session.install("setuptools>=77", "cython>=3.1")
    session.install("--no-build-isolation", "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def check(session: nox.Session) -> None:
    session.install("setuptools>=77", "cython>=3.1")
    session.install("--no-build-isolation", "-e", ".[test,dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
