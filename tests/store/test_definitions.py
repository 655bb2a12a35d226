"""Grid files and kernel folders on disk: found, read whole, and refused in clear words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.definition_texts import GRID, KERNEL, SOURCES
from tunetui.core.errors import ExitCode, ExpressionError, InputError
from tunetui.core.expressions import parse
from tunetui.store.definitions import (
    MAX_FILE_BYTES,
    MAX_FILES,
    find_kernel,
    load_definitions,
    load_grid,
    load_kernel,
)
from tunetui.store.shipped import shipped_folder

REPOSITORY = Path(__file__).parents[2]
SHIPPED = ", ".join(sorted(file.parent.name for file in shipped_folder("kernels").glob("*/kernel.toml")))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """The folder of a whole kernel, beside which a grid file may stand."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, text in {**SOURCES, "kernel.toml": KERNEL}.items():
        (folder / name).write_text(text)
    return folder


def refused(path: Path, *options: str) -> str:
    with pytest.raises(InputError) as caught:
        load_definitions(path, options)
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    return caught.value.message


def test_a_grid_and_the_kernel_beside_it_are_loaded_and_filled_in(kernel: Path) -> None:
    path = kernel.parent / "sweep.toml"
    path.write_text('name = "x"\nkernel = "./rows"\nimplementations = ["numpy"]\n')
    grid, loaded, _ = load_definitions(path, ["axes.tile=16,32"])
    assert (grid.device, grid.implementations, grid.axes) == ("cpu", ["numpy"], {"tile": [16, 32]})
    assert loaded.files == SOURCES


def test_a_kernels_path_is_relative_to_the_grid_file_not_to_the_working_directory(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    for name in ("./rows", "rows", "rows/kernel.toml", str(kernel)):
        assert find_kernel(name, kernel.parent).samefile(kernel)


def test_a_shipped_kernel_is_found_by_its_name(tmp_path: Path) -> None:
    assert find_kernel("semantic-search", tmp_path) == shipped_folder("kernels") / "semantic-search"


def test_every_source_file_of_a_kernel_is_read_and_nothing_else(kernel: Path) -> None:
    (kernel / "parts").mkdir()
    (kernel / "parts" / "heap.cuh").write_text("// heap")
    (kernel / ".hidden.py").write_text("")
    (kernel / "__pycache__").mkdir()
    (kernel / "__pycache__" / "rows.py").write_text("")
    (kernel / "notes.md").write_text("not a source")
    assert load_kernel(kernel).files == {**SOURCES, "parts/heap.cuh": "// heap"}


@pytest.mark.parametrize("name", ["quickstart", "seed-288"])
def test_the_shipped_grids_are_grids(name: str) -> None:
    grid = load_grid(REPOSITORY / "grids" / f"{name}.toml")
    assert grid.kernel == "semantic-search"


def test_the_quickstart_fits_its_kernel_and_is_small() -> None:
    grid, _, _ = load_definitions(REPOSITORY / "grids" / "quickstart.toml")
    assert (grid.device, grid.implementations) == ("cpu", ["numpy", "mojo"])


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("where", "option", "place"),
    [
        ("tile > 'x'", "", "{path}: constraints.where[1]: "),
        ("tile > 'x'", "'text'", "--set constraints.where='text': constraints.where[0]: "),
        (
            "tile > 'x'",
            "['tile > 0', '\"text\"']",
            "--set constraints.where=['tile > 0', '\"text\"']: constraints.where[1]: ",
        ),
    ],
)
def test_an_expression_that_fails_on_the_values_is_told_with_its_file_and_key_path(
    kernel: Path, where: str, option: str, place: str
) -> None:
    path = kernel.parent / "sweep.toml"
    path.write_text(f'name = "x"\nkernel = "./rows"\ndevice = "cpu"\n[constraints]\nwhere = ["tile > 0", "{where}"]\n')
    definitions = load_definitions(path, [f"constraints.where={option}"] if option else [])
    with pytest.raises(ExpressionError) as refused, definitions.named():
        parse(definitions.grid.where[-1]).holds({"tile": 4})
    assert refused.value.message.startswith(place.replace("{path}", str(path)))


def test_an_expression_of_the_kernel_that_fails_on_the_values_names_the_kernels_file(kernel: Path) -> None:
    path = kernel.parent / "sweep.toml"
    path.write_text('name = "x"\nkernel = "./rows"\ndevice = "cpu"\n')
    with pytest.raises(ExpressionError) as refused, load_definitions(path).named():
        parse("threads <= device_cores").holds({"threads": 1})
    assert refused.value.message.startswith(f"{kernel}/kernel.toml: implementations.numpy.cpu.where[0]: ")


def test_an_unknown_kernel_is_told_with_the_known_ones_and_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_text('name = "x"\nkernel = "semantic-serch"\n')
    expected = f"expected a kernel that ships with tunetui ({SHIPPED}) or a path such as ./my-kernel"
    assert refused(path) == (
        f'{path}: kernel: {expected}, found unknown kernel "semantic-serch"; did you mean "semantic-search"?'
    )


def test_an_unknown_kernel_of_an_option_is_told_by_the_option(tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_text(GRID)
    assert refused(path, "kernel=./none").startswith(
        "--set kernel=./none: kernel: expected a folder with a kernel.toml, found none at "
    )


def test_a_mistake_between_grid_and_kernel_names_the_grid_file_or_the_option(kernel: Path) -> None:
    path = kernel.parent / "g.toml"
    path.write_text('name = "x"\nkernel = "rows"\nimplementations = ["numpy"]\n[axes]\ntiel = [1]\n')
    said = refused(path, "problem.rows=0").split("\n")
    assert said == [
        (
            f"{path}: axes.tiel: expected an axis that a chosen implementation declares, found unknown axis "
            '"tiel"; did you mean "tile"?'
        ),
        "--set problem.rows=0: problem.rows: expected int >= 1 and <= 100000, found 0 (int)",
    ]


def test_a_grid_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.toml") == f"{tmp_path}/no.toml: cannot be read: No such file or directory"


def test_a_folder_in_place_of_a_grid_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path}: expected a file, found a folder"


def test_a_pipe_in_place_of_a_grid_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "g.toml")
    assert refused(tmp_path / "g.toml") == f"{tmp_path}/g.toml: expected a file, found a device or a pipe"


def test_bytes_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_bytes(b'name = "x"\n# caf\xe9\n')
    assert refused(path) == f"{path}: expected UTF-8 text, found byte 0xe9 in line 2"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_bytes(b"\xef\xbb\xbf" + GRID.encode())
    assert load_grid(tmp_path / "g.toml").name == "full-1"


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "g.toml").open("wb") as file:
        file.truncate(100 * MAX_FILE_BYTES)
    assert refused(tmp_path / "g.toml") == f"{tmp_path}/g.toml: expected at most 1,000,000 bytes, found more"


@pytest.mark.parametrize("name", ["a\x00b", "x" * 5000, "./a\x00b"])
def test_a_kernels_name_that_no_folder_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        find_kernel(name, tmp_path)


def test_a_source_that_links_out_of_the_kernels_folder_is_refused(kernel: Path) -> None:
    (kernel.parent / "secret.py").write_text("")
    (kernel / "rows.py").unlink()
    (kernel / "rows.py").symlink_to("../secret.py")
    with pytest.raises(InputError) as caught:
        load_kernel(kernel)
    assert caught.value.message == (
        f"{kernel}/rows.py: expected a file inside the kernel's folder, found a link out of it"
    )


def test_a_linked_folder_is_not_looked_into(kernel: Path) -> None:
    (kernel.parent / "outside").mkdir()
    (kernel.parent / "outside" / "a.py").write_text("")
    (kernel / "inside").symlink_to("../outside")
    assert load_kernel(kernel).files == SOURCES


def test_a_source_in_another_folder_is_no_file_of_the_kernel(kernel: Path) -> None:
    (kernel.parent / "rows.py").write_text("")
    text = KERNEL.replace('source = "rows.py"', 'source = "../rows.py"')
    (kernel / "kernel.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_kernel(kernel)
    assert caught.value.message.startswith(
        f"{kernel}/kernel.toml: implementations.numpy.cpu.source: expected a file of the kernel's folder, found "
    )


def test_a_folder_of_far_too_many_sources_is_refused(kernel: Path) -> None:
    for number in range(MAX_FILES):
        (kernel / f"part{number}.h").touch()
    with pytest.raises(InputError) as caught:
        load_kernel(kernel)
    assert caught.value.message == f"{kernel}: expected at most {MAX_FILES} source files in a kernel, found more"
