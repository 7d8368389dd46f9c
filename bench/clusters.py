"""The clusters of the system tests, of the build that is to be measured."""

import importlib
import os
import pathlib
import sys

sys.dont_write_bytecode = True

SOURCE = pathlib.Path(__file__).resolve().parent.parent


def of_build(directory=None):
    """The module test/system/cluster for this build; without one for that of MILLRACE_BUILD_DIR, or
    else build/release. It knows one build, so this is called once."""
    build = pathlib.Path(directory or os.environ.get("MILLRACE_BUILD_DIR")
                         or SOURCE / "build" / "release").resolve()
    if not (build / "caf-node").exists():
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: there is no build in {build}: "
                 "cmake --preset release && cmake --build --preset release")
    os.environ["MILLRACE_BUILD_DIR"] = str(build)
    sys.path.insert(0, str(SOURCE / "test" / "system"))
    return importlib.import_module("cluster")
