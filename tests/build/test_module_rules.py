"""The build refuses what the architecture forbids.

Each test writes a small tree of modules around the real cmake/GlasscaseModule.cmake, lets CMake and the compiler at it, and
looks for the refusal. One tree that keeps all rules shows that a refusal is not simply a broken build.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TOP = f"""
cmake_minimum_required(VERSION 3.25)
project(tree LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
set(GLASSCASE_APPS ON)
set(GLASSCASE_TESTS ON)
list(APPEND CMAKE_MODULE_PATH "{ROOT}/cmake")
function(glasscase_warnings target)
  target_compile_options("${{target}}" PRIVATE -Wall -Werror)
endfunction()
enable_testing()
include(GlasscaseModule)
"""

# base: core, extra; custody: store uses core, with an adapter `disk` of store; an app that chooses the adapter.
GOOD_TREE = {
    "src/base/core/CMakeLists.txt": "glasscase_module(NAME core LAYER base SOURCES core.cc)",
    "src/base/core/include/glasscase/core/core.h": "#pragma once\nint Core();\n",
    "src/base/core/core.cc": "#include <glasscase/core/core.h>\nint Core() { return 1; }\n",
    "src/base/extra/CMakeLists.txt": "glasscase_module(NAME extra LAYER base USES core)",
    "src/base/extra/include/glasscase/extra/extra.h": (
        "#pragma once\n#include <glasscase/core/core.h>\ninline int Extra() { return Core(); }\n"
    ),
    "src/custody/store/CMakeLists.txt": "glasscase_module(NAME store LAYER custody USES extra SOURCES store.cc)",
    "src/custody/store/include/glasscase/store/store.h": "#pragma once\nint Store();\n",
    "src/custody/store/store.cc": (
        "#include <glasscase/store/store.h>\n#include <glasscase/extra/extra.h>\nint Store() { return Extra(); }\n"
    ),
    "src/custody/store/disk/CMakeLists.txt": (
        "glasscase_module(NAME disk LAYER custody ADAPTER_OF store USES core SOURCES disk.cc)"
    ),
    "src/custody/store/disk/include/glasscase/disk/disk.h": "#pragma once\nint Disk();\n",
    "src/custody/store/disk/disk.cc": (
        "#include <glasscase/disk/disk.h>\n#include <glasscase/core/core.h>\n#include <glasscase/store/store.h>\n"
        "int Disk() { return Core() + Store(); }\n"
    ),
    "apps/tool/CMakeLists.txt": "glasscase_app(NAME tool USES disk SOURCES main.cc)",
    "apps/tool/main.cc": "#include <glasscase/disk/disk.h>\nint main() { return Disk() == 2 ? 0 : 1; }\n",
}


@dataclass(frozen=True)
class Built:
    """What CMake said to a tree, and whether it was content."""

    configured: bool
    built: bool
    output: str


class Tree:
    """A tree of modules on disk, good until a test changes a file of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in GOOD_TREE.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(self, *targets: str) -> Built:
        """Configures and builds all, or the given targets."""
        folders = sorted(
            path.parent.relative_to(self.folder)
            for path in self.folder.glob("*/**/CMakeLists.txt")
            if path.is_relative_to(self.folder / "src") or path.is_relative_to(self.folder / "apps")
        )
        # Apps come before what they use: the order of declaration must not matter.
        added = "".join(f"add_subdirectory({folder})\n" for folder in folders)
        self.write("CMakeLists.txt", TOP + added)
        build = self.folder / "build"
        configure = run("cmake", "-G", "Ninja", "-S", str(self.folder), "-B", str(build), "-DCMAKE_BUILD_TYPE=Debug")
        if configure.returncode != 0:
            return Built(False, False, flat(configure))
        command = ["cmake", "--build", str(build)]
        if targets:
            command += ["--target", *targets]
        compiled = run(*command, "--", "-k", "0")  # go on after an error, so that every refusal is seen
        return Built(True, compiled.returncode == 0, flat(configure) + flat(compiled))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def flat(done: subprocess.CompletedProcess[str]) -> str:
    """Gives all output on one line, since CMake breaks its messages where it likes."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_tree_that_keeps_the_rules_builds_and_runs(tree: Tree) -> None:
    done = tree.build("all", "check_architecture", "all_verify_interface_header_sets")
    assert done.built, done.output
    assert run(str(tree.folder / "build/apps/tool/tool")).returncode == 0


def test_an_upward_use_is_refused(tree: Tree) -> None:
    tree.write("src/base/core/CMakeLists.txt", "glasscase_module(NAME core LAYER base USES store SOURCES core.cc)")
    done = tree.build()
    assert not done.configured
    assert "core (base) uses store (custody): uses go downwards only" in done.output


def test_a_module_cannot_claim_a_layer_that_it_does_not_lie_in(tree: Tree) -> None:
    tree.write("src/base/core/CMakeLists.txt", "glasscase_module(NAME core LAYER service USES store SOURCES core.cc)")
    done = tree.build()
    assert not done.configured
    assert "declared as LAYER service, but lies in src/base/core" in done.output


def test_a_cycle_is_refused(tree: Tree) -> None:
    tree.write("src/base/core/CMakeLists.txt", "glasscase_module(NAME core LAYER base USES extra SOURCES core.cc)")
    tree.write("src/base/extra/CMakeLists.txt", "glasscase_module(NAME extra LAYER base USES core SOURCES extra.cc)")
    tree.write("src/base/extra/extra.cc", "#include <glasscase/extra/extra.h>\n")
    done = tree.build()
    assert not done.configured
    assert "cycl" in done.output


def test_a_cycle_of_header_only_modules_is_refused(tree: Tree) -> None:
    tree.write("src/base/extra/CMakeLists.txt", "glasscase_module(NAME extra LAYER base USES other)")
    tree.write("src/base/other/CMakeLists.txt", "glasscase_module(NAME other LAYER base USES extra)")
    done = tree.build()
    assert not done.configured
    assert "cycl" in done.output


def test_an_unknown_module_is_named(tree: Tree) -> None:
    tree.write("src/custody/store/CMakeLists.txt", "glasscase_module(NAME store LAYER custody USES extar SOURCES store.cc)")
    done = tree.build()
    assert not done.configured
    assert "store uses extar: there is no module of that name" in done.output


def test_an_adapter_used_by_a_module_is_refused(tree: Tree) -> None:
    tree.write("src/service/front/CMakeLists.txt", "glasscase_module(NAME front LAYER service USES disk)")
    done = tree.build()
    assert not done.configured
    assert "front uses disk: an adapter (of store) is chosen in apps/ only" in done.output


def test_a_test_may_use_an_adapter(tree: Tree) -> None:
    tree.write(
        "src/service/front/CMakeLists.txt",
        "glasscase_module(NAME front LAYER service USES store TESTS front_test.cc TEST_USES disk)",
    )
    tree.write(
        "src/service/front/front_test.cc",
        "#include <glasscase/disk/disk.h>\n#include <gtest/gtest.h>\n\nTEST(Front, Works) { EXPECT_EQ(Disk(), 2); }\n",
    )
    done = tree.build()
    assert done.built, done.output
    test = run("ctest", "--test-dir", str(tree.folder / "build"), "-L", "unit", "--no-tests=error")
    assert test.returncode == 0, test.stdout


def test_an_include_of_an_undeclared_module_does_not_compile(tree: Tree) -> None:
    tree.write("src/base/lone/CMakeLists.txt", "glasscase_module(NAME lone LAYER base SOURCES lone.cc)")
    tree.write("src/base/lone/lone.cc", "#include <glasscase/core/core.h>\nint Lone() { return Core(); }\n")
    done = tree.build()
    assert done.configured and not done.built
    assert "src/base/lone/lone.cc includes <glasscase/core/core.h>, but lone does not declare USES core" in done.output


def test_what_a_used_module_uses_must_be_declared_as_well(tree: Tree) -> None:
    # The compiler would find the header: store uses extra, and extra uses core.
    tree.write(
        "src/custody/store/store.cc",
        "#include <glasscase/store/store.h>\n#include <glasscase/core/core.h>\nint Store() { return Core(); }\n",
    )
    done = tree.build()
    assert done.configured and not done.built
    assert "store does not declare USES core" in done.output


def test_an_app_declares_what_it_includes_too(tree: Tree) -> None:
    tree.write("apps/tool/main.cc", "#include <glasscase/core/core.h>\nint main() { return Core(); }\n")
    done = tree.build()
    assert done.configured and not done.built
    assert "tool does not declare USES core" in done.output


def test_a_relative_path_out_of_the_module_is_refused(tree: Tree) -> None:
    tree.write("src/custody/store/store.cc", '#include "../../base/core/include/glasscase/core/core.h"\n')
    done = tree.build()
    assert done.configured and not done.built
    assert "no paths out of the module" in done.output


def test_a_private_header_of_another_module_is_out_of_reach(tree: Tree) -> None:
    tree.write("src/base/core/secret_place.h", "#pragma once\n")
    tree.write("src/base/extra/CMakeLists.txt", "glasscase_module(NAME extra LAYER base USES core SOURCES extra.cc)")
    tree.write("src/base/extra/extra.cc", '#include "secret_place.h"\n')
    done = tree.build()
    assert done.configured and not done.built
    assert "secret_place.h: No such file" in done.output


def test_an_undeclared_symbol_is_refused_by_the_link_check(tree: Tree) -> None:
    # Declares the function itself instead of including the header, which no look at the includes can see.
    tree.write("src/base/lone/CMakeLists.txt", "glasscase_module(NAME lone LAYER base SOURCES lone.cc)")
    tree.write("src/base/lone/lone.cc", "int Core();\nint Lone() { return Core(); }\n")
    assert tree.build().built
    done = tree.build("check_architecture")
    assert not done.built
    assert "undefined" in done.output and "Core()" in done.output


def test_a_header_that_does_not_compile_alone_is_refused(tree: Tree) -> None:
    tree.write("src/custody/store/include/glasscase/store/store.h", "#pragma once\nstd::string Store();\n")
    tree.write(
        "src/custody/store/store.cc",
        "#include <string>\n\n#include <glasscase/store/store.h>\nstd::string Store() { return {}; }\n",
    )
    assert tree.build("glasscase_store").built
    done = tree.build("all_verify_interface_header_sets")
    assert not done.built
    assert "store.h" in done.output and "std" in done.output


def test_http_types_below_the_service_layer_are_refused(tree: Tree) -> None:
    tree.write("src/custody/store/store.cc", "#include <boost/beast/http.hpp>\nint Store() { return 1; }\n")
    done = tree.build()
    assert done.configured and not done.built
    assert "HTTP and gRPC types belong to the service layer" in done.output


def test_libcurl_below_the_service_layer_is_for_fetch_alone(tree: Tree) -> None:
    tree.write("src/custody/store/store.cc", "#include <curl/curl.h>\nint Store() { return 1; }\n")
    tree.write("src/base/fetch/CMakeLists.txt", "glasscase_module(NAME fetch LAYER base SOURCES fetch.cc)")
    tree.write("src/base/fetch/fetch.cc", "#include <curl/curl.h>\nint Fetch() { return 1; }\n")
    done = tree.build("glasscase_fetch_uses", "glasscase_store_uses")
    assert done.configured and not done.built
    assert "store.cc includes <curl/curl.h>: below the service layer, only fetch uses libcurl" in done.output
    assert "fetch.cc includes" not in done.output


def test_a_declared_file_that_does_not_exist_is_named_and_others_still_build(tree: Tree) -> None:
    tree.write("src/base/lone/CMakeLists.txt", "glasscase_module(NAME lone LAYER base SOURCES lone.cc soon.cc)")
    tree.write("src/base/lone/lone.cc", "int Lone() { return 1; }\n")
    done = tree.build()
    assert done.configured and not done.built
    assert "soon.cc, which does not exist" in done.output
    assert tree.build("tool").built
