"""Every kind of source, and what its pictures are answered: the same as `predict` says, whatever the shards."""

import gzip
import io
import itertools
import json
import os
import tarfile
import zipfile

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from PIL import Image

from tenfold import predict
from tenfold.cli import score as cli_score
from tenfold.data import idx
from tenfold.errors import DataError, TenfoldError, UsageError
from tenfold.score import batch, job, plan, reading, shard, sources
from tenfold.score.plan import Shard

N = 60


@pytest.fixture(scope="session")
def strict(reader):
    """The small run with a threshold that parts its answers."""
    proto = type(reader.model.proto)()
    proto.CopyFrom(reader.model.proto)
    says = {entry.key: entry.value for entry in proto.metadata_props}
    threshold = {"confidence": 0.9, "answered": 700, "correct": 700, "total": 1_000}
    helper.set_model_props(proto, says | {"threshold": json.dumps(threshold)})
    return predict.unpacked(proto.SerializeToString(), "small", threads=1)


@pytest.fixture
def images(mnist):
    return mnist.images[:N]


def png(image, **options):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "png", **options)
    return content.getvalue()


def rows(folder):
    """Return all answers, in the order of the shards."""
    return pq.read_table(folder / "parts").to_pylist()


def bad(folder):
    """Return what was bad: its reason, by id."""
    lines = itertools.chain.from_iterable(path.read_text().splitlines() for path in sorted((folder / "bad").iterdir()))
    return {line["id"]: line["reason"] for line in map(json.loads, lines)}


@pytest.fixture
def scored(strict, tmp_path):
    """`scored(source)` is the rows, the bad ones and the result of a job in this process."""
    numbers = itertools.count()

    def call(source, **options):
        out = tmp_path / f"scores-{next(numbers)}"
        result = job.score(strict, str(source), out, jobs=1, **options)
        return rows(out), bad(out), result

    return call


def check(found, reader, images, ids):
    """Each row is what the reader says to its picture."""
    assert [row["id"] for row in found] == ids
    for row, answer in zip(found, reader.answer(images), strict=True):
        assert (row["digit"], row["verdict"]) == (answer.label, answer.verdict)
        assert row["probability"] == (None if answer.label is None else pytest.approx(answer.confidence, abs=1e-6))
    assert {row["model"] for row in found} == {reader.description["sha256"]}


@pytest.mark.parametrize("name", ["digits.idx3-ubyte", "digits-idx3-ubyte.gz", "digits.idx", "anything"])
def test_idx(scored, strict, images, tmp_path, name):
    content = idx.encode(images)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found, wrong, result = scored(tmp_path / name)
    check(found, strict, images, [f"{name}#{at}" for at in range(N)])
    assert wrong == {}
    assert (result.pictures, result.summary["pictures"], result.summary["bad"]) == (N, N, 0)
    assert {row["verdict"] for row in found} == {"sure", "unsure"}


def test_the_folder_of_mnist(scored, mnist, tmp_path):
    """Four files, two of which hold labels: they are named, and do not stop the job."""
    for name, size in (("train", 50), ("t10k", 20)):
        (tmp_path / "mnist" / "raw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mnist" / "raw" / f"{name}-images-idx3-ubyte").write_bytes(idx.encode(mnist.images[:size]))
        labels = idx.encode(mnist.labels[:size].astype(np.uint8))
        (tmp_path / "mnist" / "raw" / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    found, wrong, result = scored(tmp_path / "mnist")
    assert [row["id"] for row in found][::50] == ["raw/t10k-images-idx3-ubyte#0", "raw/train-images-idx3-ubyte#30"]
    assert wrong.keys() == {f"raw/{name}-labels-idx1-ubyte" for name in ("t10k", "train")}
    assert all("labels" in reason for reason in wrong.values())
    assert result.summary["pictures"] == 70
    assert json.loads((result.folder / "job.json").read_text())["pictures"] == 72  # what one sees go by


@pytest.fixture
def folder(images, tmp_path):
    """A folder tree of pictures of several formats and sizes, hidden files, and files that are no pictures."""
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for at, image in enumerate(images[20:50]):
        (root / "a" / f"{at}.png").write_bytes(png(image))
    large = [Image.fromarray(255 - np.pad(image, 6)).resize((240, 240)) for image in images[8:12]]
    for at, (image, ending) in enumerate(zip(large, ("png", "bmp", "tiff", "gif"), strict=True)):
        image.save(root / "a" / "b" / f"{at}.{ending}")
    (root / "blank.png").write_bytes(png(np.full((28, 28), 255, np.uint8)))
    (root / "two.png").write_bytes(png(255 - np.hstack([np.pad(image, 6) for image in images[:2]])))
    (root / "cut.png").write_bytes(png(images[0])[:60])
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden" / "x.png").write_bytes(b"")
    (root / ".DS_Store").write_bytes(b"")
    return root


def test_a_folder_of_pictures_is_answered_as_predict_answers(scored, strict, folder):
    found, wrong, result = scored(folder)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*") if path.is_file()}
    expected = {name: files[name] for name in sorted(files) if not name.startswith(".")}
    told = dict(zip(expected, predict.read_files(strict, list(expected.values())), strict=True))
    assert wrong == {name: one.error for name, one in told.items() if one.error}
    assert set(wrong) == {"cut.png", "notes.txt"}
    good = {name: one.answers[0] for name, one in told.items() if not one.error}
    assert {row["id"]: (row["digit"], row["verdict"]) for row in found} == {
        name: (answer.label, answer.verdict) for name, answer in good.items()
    }
    for row in found:
        confidence = good[row["id"]].confidence
        assert row["probability"] == (None if confidence is None else pytest.approx(confidence, abs=1e-6))
    assert {row["verdict"] for row in found} == {"sure", "unsure", "no digit found", "several digits"}
    assert [row["id"] for row in found] == sorted(row["id"] for row in found)
    assert result.summary["verdicts"]["no digit found"] == result.summary["verdicts"]["several digits"] == 1


def test_plain_only_resizes(scored, strict, images, tmp_path):
    (tmp_path / "plain").mkdir()
    moved = np.roll(images[:5], 4, axis=1)
    for at, image in enumerate(moved):
        (tmp_path / "plain" / f"{at}.png").write_bytes(png(image))
    found, _, _ = scored(tmp_path / "plain", plain=True)
    check(found, strict, moved, [f"{at}.png" for at in range(5)])
    assert [row["probability"] for row in scored(tmp_path / "plain")[0]] != [row["probability"] for row in found]


COLUMNS = {
    "encoded": lambda images: pa.array([png(image) for image in images], pa.binary()),
    "large": lambda images: pa.array([png(image) for image in images], pa.large_binary()),
    "raw": lambda images: pa.array([image.tobytes() for image in images], pa.binary()),
    "fixed": lambda images: pa.array([image.tobytes() for image in images], pa.binary(784)),
    "list": lambda images: pa.array(list(images.reshape(-1, 784)), pa.list_(pa.uint8())),
    "fixed list": lambda images: pa.array(list(images.reshape(-1, 784)), pa.list_(pa.uint8(), 784)),
    "hugging face": lambda images: pa.array(
        [{"bytes": png(image), "path": None} for image in images],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    ),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_parquet(scored, strict, images, tmp_path, kind):
    """The column found by itself among others."""
    table = pa.table({"label": list(range(N)), "picture": COLUMNS[kind](images), "text": ["x"] * N})
    pq.write_table(table, tmp_path / "digits.parquet", row_group_size=13)
    found, wrong, _ = scored(tmp_path / "digits.parquet")
    check(found, strict, images, [f"digits.parquet#{at}" for at in range(N)])
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoded", "list"])
def test_a_large_source_is_cut_into_shards_that_together_are_the_whole(strict, mnist, tmp_path, kind):
    """Row groups of a Parquet file; more than one shard holds."""
    size = plan.FILES if kind == "encoded" else plan.PICTURES
    images = mnist.images[: size + 100]
    pq.write_table(pa.table({"picture": COLUMNS[kind](images)}), tmp_path / "digits.parquet", row_group_size=size // 2)
    source = sources.find(str(tmp_path / "digits.parquet"))
    cut = list(plan.shards(source))
    assert len(cut) == 2
    read = [batch for one in cut for batch in reading.batches(source, one)]
    assert [name for batch in read for name in batch.ids.to_pylist()] == [
        f"digits.parquet#{at}" for at in range(len(images))
    ]


@pytest.mark.slow
def test_a_compressed_file_is_cut_into_shards_that_read_their_part(mnist, tmp_path):
    (tmp_path / "digits.idx3-ubyte.gz").write_bytes(gzip.compress(idx.encode(mnist.images[:40_000]), 1))
    source = sources.find(str(tmp_path / "digits.idx3-ubyte.gz"))
    cut = list(plan.shards(source))
    assert len(cut) == 2
    assert [(one.start, one.stop) for one in cut] == [(0, cut[0].stop), (cut[0].stop, 40_000)]
    read = [batch.images for one in cut for batch in reading.batches(source, one)]
    assert np.array_equal(np.concatenate(read), mnist.images[:40_000])


def test_what_is_bad_in_a_column_is_named_by_its_row(scored, strict, images, tmp_path):
    values = [png(images[0]), None, b"no picture", images[1].tobytes(), png(images[2])[:70], images[2].tobytes()]
    pq.write_table(pa.table({"picture": pa.array(values, pa.binary())}), tmp_path / "mixed.parquet")
    found, wrong, _ = scored(tmp_path / "mixed.parquet")
    check(found, strict, images[:3], [f"mixed.parquet#{at}" for at in (0, 3, 5)])
    assert set(wrong) == {f"mixed.parquet#{at}" for at in (1, 2, 4)}
    pixels = [images[0].ravel().tolist(), [None, *images[0].ravel().tolist()[1:]], [1, 2, 3]]
    pq.write_table(pa.table({"picture": pa.array(pixels, pa.list_(pa.uint8()))}), tmp_path / "holes.parquet")
    found, wrong, _ = scored(tmp_path / "holes.parquet")
    check(found, strict, images[:1], ["holes.parquet#0"])
    assert set(wrong) == {"holes.parquet#1", "holes.parquet#2"}


def test_784_bytes_that_are_a_picture_are_decoded(images):
    """A BMP of that size is one; pixels that begin with its two letters are none."""
    content = images[0].tobytes()
    assert not batch.is_encoded(content)
    assert not batch.is_encoded(b"BM" + content[2:])
    assert batch.is_encoded(b"BM" + (784).to_bytes(4, "little") + content[6:])
    assert batch.is_encoded(png(images[0]).ljust(784, b"\0"))


def test_the_column_is_chosen_where_several_fit(scored, strict, images, tmp_path):
    table = pa.table({"one": COLUMNS["raw"](images), "two": COLUMNS["encoded"](images[::-1]), "n": [1] * N})
    pq.write_table(table, tmp_path / "two.parquet")
    with pytest.raises(UsageError, match=r"one, two; .*--column"):
        scored(tmp_path / "two.parquet")
    found, _, _ = scored(tmp_path / "two.parquet", column="two")
    check(found, strict, images[::-1], [f"two.parquet#{at}" for at in range(N)])
    for column in ("n", "three"):
        with pytest.raises(TenfoldError, match=f"'{column}'"):
            scored(tmp_path / "two.parquet", column=column)


def pixel_columns(images):
    return {f"pixel{at}": column for at, column in enumerate(images.reshape(-1, 784).T.tolist())}


@pytest.mark.parametrize("name", ["test.csv", "test.csv.gz", "test.parquet"])
def test_a_column_for_each_pixel(scored, strict, images, tmp_path, name):
    """As in Kaggle's digit-recognizer: with labels or without, alone or in a folder; a bad row is named."""
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / name
    for columns in (pixel_columns(images), {"label": [7] * N, **pixel_columns(images)}):
        columns["pixel5"][3] = 256
        if name == "test.parquet":
            pq.write_table(pa.table(columns), path, row_group_size=13)
        else:
            text = "\n".join(",".join(map(str, row)) for row in [[*columns], *zip(*columns.values(), strict=True)])
            path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        for source in (path, path.parent):
            found, wrong, _ = scored(source)
            check(found, strict, np.delete(images, 3, axis=0), [f"{name}#{at}" for at in range(N) if at != 3])
            assert list(wrong) == [f"{name}#3"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_shards(scored, strict, images, tmp_path, mode):
    """As WebDataset makes them: a sample is some files of one name; labels beside pictures are passed over."""
    name = "shard-000.tar" + (".gz" if mode == "w:gz" else "")
    with tarfile.open(tmp_path / name, mode) as tar:

        def add(member, content):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for at, image in enumerate(images[:9]):
            add(f"d/{at}.png", png(image))
            add(f"d/{at}.cls", b"7")
        add("d/._0.png", b"")
        add("d/cut.png", png(images[0])[:50])
    found, wrong, result = scored(tmp_path / name)
    check(found, strict, images[:9], [f"{name}#d/{at}.png" for at in range(9)])
    assert list(wrong) == [f"{name}#d/cut.png"]
    assert result.summary["skipped"] == 9


@pytest.mark.parametrize(("length", "packed"), [(2_700, False), (2_100, False), (2_048, False), (30_000, True)])
def test_a_tar_that_is_cut_keeps_what_was_read(scored, images, tmp_path, length, packed):
    """In a picture, in a header, between two members; compressed, wherever it is."""
    name = "0.tar.gz" if packed else "0.tar"
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / name, "w:gz" if packed else "w") as tar:
        for at, image in enumerate(images[:30]):
            info = tarfile.TarInfo(f"{at:02}.png")
            info.size = len(content := png(image))
            tar.addfile(info, io.BytesIO(content))
    whole = (tmp_path / "tars" / name).read_bytes()
    (tmp_path / "tars" / name).write_bytes(whole[: length * len(whole) // 40_000 if packed else length])
    kept, wrong, _ = scored(tmp_path / "tars")
    assert [row["id"] for row in kept] == [f"{name}#{at:02}.png" for at in range(len(kept))]
    assert 0 < len(kept) < 30 if packed else len(kept) == length // 1024
    assert list(wrong) == [name]


def test_a_compressed_file_that_is_cut_keeps_what_was_read(scored, mnist, tmp_path):
    (tmp_path / "some").mkdir()
    content = gzip.compress(idx.encode(mnist.images[:9_000]), 1)
    (tmp_path / "some" / "cut.idx3-ubyte.gz").write_bytes(content[: len(content) * 2 // 3])
    found, wrong, _ = scored(tmp_path / "some")
    assert [row["id"] for row in found] == [f"cut.idx3-ubyte.gz#{at}" for at in range(batch.RAW)]
    assert list(wrong) == [f"cut.idx3-ubyte.gz#{batch.RAW}"]


def test_other_file_systems(scored, strict, images, tmp_path):
    """Whatever fsspec opens: a memory, an archive, a pattern in it."""
    files = {"digits/a.idx3-ubyte": idx.encode(images), "digits/b.png": png(images[0]), "digits/x.txt": b"no"}
    files["digits/deep/c.png"] = png(images[1])
    memory = fsspec.filesystem("memory")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            memory.pipe(f"/score/{name}", content)
    for address in ("memory://score/digits", f"zip://digits::{tmp_path / 'all.zip'}"):
        found, wrong, _ = scored(address)
        expected = [*(f"a.idx3-ubyte#{at}" for at in range(N)), "b.png", "deep/c.png"]
        ids = [row["id"] for row in found]
        assert sorted(ids) == sorted(expected)
        assert list(wrong) == ["x.txt"]
        by_id = {row["id"]: row for row in found}
        check([by_id[name] for name in expected], strict, np.concatenate([images, images[:2]]), expected)
    assert [row["id"] for row in scored("memory://score/digits/*.png")[0]] == ["b.png"]
    assert [row["id"] for row in scored("memory://score/digits/**/*.png")[0]] == ["b.png", "deep/c.png"]
    table = io.BytesIO()
    pq.write_table(pa.table({"picture": COLUMNS["encoded"](images)}), table)
    memory.pipe("/score/table.parquet", table.getvalue())
    check(scored("memory://score/table.parquet")[0], strict, images, [f"table.parquet#{at}" for at in range(N)])


def test_what_is_no_file_is_named(scored, images, tmp_path):
    root = tmp_path / "odd"
    root.mkdir()
    (root / "good.png").write_bytes(png(images[0]))
    (root / "[3].png").write_bytes(png(images[0]))
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(root / "pipe.png")
    (root / os.fsdecode(b"\xff.png")).write_bytes(png(images[1]))
    for name in ("wrong.parquet", "wrong.idx", "wrong.tar", "wrong.idx.gz"):
        (root / name).write_bytes(b"nothing that is known")
    (root / "other.idx").write_bytes(idx.encode(np.zeros((3, 32, 32), np.uint8)))
    (root / "cut.idx").write_bytes(idx.encode(images)[:-1])
    pq.write_table(pa.table({"n": [1]}), root / "numbers.parquet")
    found, wrong, _ = scored(root)
    assert [row["id"] for row in found] == ["[3].png", "good.png", "\\udcff.png"]
    odd = {"loop", "gone.png", "pipe.png", "other.idx", "cut.idx", "numbers.parquet"}
    assert set(wrong) == odd | {"wrong.parquet", "wrong.idx", "wrong.tar", "wrong.idx.gz"}
    assert "32 × 32" in wrong["other.idx"]
    assert [row["id"] for row in scored(f"{root}/goo?.png")[0]] == ["good.png"]
    assert [row["id"] for row in scored(f"{root}/[3].png")[0]] == ["[3].png"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "notes.txt",
            "labels-idx1-ubyte",
            "a.parquet",
            "a.tar",
            "cut.idx",
            "empty/*",
            "bad",
            "wide.parquet",
            "wide.csv",
        ),
        *("tables", "header.csv"),
    ],
)
def test_a_source_in_which_nothing_can_be_read_is_refused_in_a_line(scored, tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    for at in range(50):
        (tmp_path / "bad" / f"{at}.png").write_bytes(b"no picture")
    wide = pa.table({f"measured {at}": [0] for at in range(800)})
    (tmp_path / "tables").mkdir()
    for folder in (tmp_path, tmp_path / "tables"):
        pq.write_table(wide, folder / "wide.parquet")
        (folder / "wide.csv").write_text(",".join(wide.column_names))
    (tmp_path / "header.csv").write_text(",".join(f"pixel{at}" for at in range(784)))
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx.encode(np.arange(9, dtype=np.uint8)))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "a.tar").write_bytes(b"no tar" * 200)
    (tmp_path / "cut.idx").write_bytes(idx.encode(np.zeros((3, 28, 28), np.uint8))[:-1])
    with pytest.raises(TenfoldError) as caught:
        scored(tmp_path / name)
    assert caught.value.status == 1
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_addresses_that_cannot_be_opened(scored):
    with pytest.raises(DataError):
        scored("nowhere.png")
    with pytest.raises(UsageError):
        scored("nosuch://bucket/x")
    with pytest.raises(TenfoldError, match="cannot be opened"):
        scored("abfs://bucket/x")  # its library is not installed


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1:1/x", "reference://", "hdfs://127.0.0.1:1/x", "http://127.0.0.1:1/x"]
)
def test_addresses_where_nothing_answers(scored, address):
    with pytest.raises(TenfoldError) as caught:
        scored(address)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_to_itself_is_named(scored, images, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "good.png").write_bytes(png(images[0]))
    (tmp_path / "links" / "loop.png").symlink_to("loop.png")
    found, wrong, _ = scored(tmp_path / "links")
    assert ([row["id"] for row in found], list(wrong)) == (["good.png"], ["loop.png"])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("member", ["label.cls", "large.png"])
def test_a_tar_that_announces_a_terabyte_is_damaged(scored, images, tmp_path, packed, member):
    info = tarfile.TarInfo(member)
    info.size = 2**40
    content = info.tobuf(tarfile.GNU_FORMAT) + bytes(400)
    (tmp_path / "tars").mkdir()
    (tmp_path / "tars" / "good.png").write_bytes(png(images[0]))
    (tmp_path / "tars" / ("a.tar.gz" if packed else "a.tar")).write_bytes(gzip.compress(content) if packed else content)
    found, wrong, _ = scored(tmp_path / "tars")
    assert [row["id"] for row in found] == ["good.png"]
    assert any("ends within a file" in reason for reason in wrong.values())


def test_too_large_a_file_is_not_read(scored, images, tmp_path):
    (tmp_path / "sizes").mkdir()
    (tmp_path / "sizes" / "small.png").write_bytes(png(images[0]))
    (tmp_path / "sizes" / "large.png").write_bytes(png(images[1]))
    os.truncate(tmp_path / "sizes" / "large.png", sources.LARGEST + 1)  # sparse: it takes no room
    found, wrong, _ = scored(tmp_path / "sizes")
    assert ([row["id"] for row in found], list(wrong)) == (["small.png"], ["large.png"])


def test_files_that_go_away_are_bad(images, tmp_path):
    (tmp_path / "pictures").mkdir()
    for at in range(3):
        (tmp_path / "pictures" / f"{at}.png").write_bytes(png(images[at]))
    source = sources.find(str(tmp_path / "pictures"))
    (one,) = plan.shards(source)
    (tmp_path / "pictures" / "1.png").unlink()
    (read,) = reading.batches(source, one)
    assert "No such file" in str(read.contents[1])
    assert plan.parse(json.dumps(one.document())) == one


def answered(reader, out, source, cut):
    """Return the rows of shards, each answered for itself."""
    orders = shard.Orders(source, str(out), reader.description["sha256"], "small", False)
    (out / "parts").mkdir(parents=True, exist_ok=True)
    (out / shard.MODEL).write_bytes(reader.model.proto.SerializeToString())
    (out / "bad").mkdir(exist_ok=True)
    for number, one in enumerate(cut):
        shard.answer(orders, number, one)
    tables = [pq.read_table(shard.part_path(out, number)) for number in range(len(cut))]
    return pa.concat_tables([table.replace_schema_metadata() for table in tables]).to_pylist()


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, N - 1), max_size=6))
def test_any_cut_into_shards_gives_the_same_rows(strict, images, tmp_path, cuts):
    (tmp_path / "mixed").mkdir(exist_ok=True)
    (tmp_path / "digits.idx3-ubyte").write_bytes(idx.encode(images))
    names = [f"{at:02}.png" for at in range(N)]
    for name, image in zip(names, images, strict=True):
        turned = image if int(name[:2]) % 3 else 255 - np.pad(image, 9)
        (tmp_path / "mixed" / name).write_bytes(png(turned))
    borders = list(itertools.pairwise([0, *sorted(cuts), N]))
    raw = [Shard("idx", ("digits.idx3-ubyte",), 16 + 784 * N, *ends, count=ends[1] - ends[0]) for ends in borders]
    files = [Shard("pictures", tuple(names[first:last]), count=last - first) for first, last in borders]
    for source, cut, whole in (
        (sources.find(str(tmp_path / "digits.idx3-ubyte")), raw, Shard("idx", ("digits.idx3-ubyte",), stop=N)),
        (sources.find(str(tmp_path / "mixed")), files, Shard("pictures", tuple(names))),
    ):
        first, second = (
            answered(strict, tmp_path / "cut", source, cut),
            answered(strict, tmp_path / "whole", source, [whole]),
        )
        for one, other in zip(first, second, strict=True):
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)
            assert {**one, "probability": 0} == {**other, "probability": 0}


def test_the_file_of_a_shard(scored, images, tmp_path):
    """Columns as they are documented, the same bytes each time, its counts at its end."""
    blank = np.zeros((1, 28, 28), np.uint8)
    (tmp_path / "a.idx").write_bytes(idx.encode(np.concatenate([images, blank])))
    (first, *_), (second, *_) = [sorted((scored(tmp_path / "a.idx")[2].folder / "parts").iterdir()) for _ in range(2)]
    assert first.read_bytes() == second.read_bytes()
    table = pq.read_table(first)
    assert table.column_names == ["id", "digit", "probability", "verdict", "model"]
    counts = shard.counts_of(first)
    assert counts["pictures"] == N + 1
    assert counts["verdicts"]["no digit found"] == 1
    assert counts["ink"] == images.sum()
    assert counts["confidence"] / shard.FIXED == pytest.approx(sum(filter(None, table["probability"].to_pylist())))
    assert sum(counts["classes"].values()) == N
    assert table["digit"].null_count == table["probability"].null_count == 1


def test_a_model_of_letters_answers_with_labels(letters, images, tmp_path):
    blank = np.zeros((1, 28, 28), np.uint8)
    (tmp_path / "a.idx").write_bytes(idx.encode(np.concatenate([images, blank])))
    result = job.score(letters, str(tmp_path / "a.idx"), tmp_path / "out", jobs=1)
    expected = [*(answer.label for answer in letters.answer(images)), None]
    found = rows(tmp_path / "out")
    assert [row["label"] for row in found] == expected
    assert found[-1]["verdict"] == "no character found"
    assert "digit" not in json.dumps([result.summary, found])
    assert sum(result.summary["labels"].values()) == N
    assert "digit" not in cli_score.text(result, letters.kind)


def test_drift_is_told_from_what_the_model_says_of_its_training(scored, strict, mnist, tmp_path):
    (tmp_path / "alike.idx").write_bytes(idx.encode(mnist.images[:3_000]))
    threes = mnist.images[mnist.labels == 3][:2_000]
    (tmp_path / "threes.idx").write_bytes(idx.encode(np.minimum(threes, 100)))
    alike = {one["what"]: one for one in scored(tmp_path / "alike.idx")[2].summary["drift"]}
    other = {one["what"]: one for one in scored(tmp_path / "threes.idx")[2].summary["drift"]}
    answers = strict.judge(mnist.images[:3_000])
    assert alike["mean ink"]["here"] == pytest.approx(mnist.images[:3_000].mean())
    assert alike["mean confidence"]["here"] == pytest.approx(answers.confidence.mean(dtype=float))
    assert alike["unsure share"]["here"] == (~answers.sure).mean()
    for what in ("class shares", "mean ink"):
        assert (alike[what]["drifted"], other[what]["drifted"]) == (False, True)
    share = np.bincount(strict.judge(np.minimum(threes, 100)).classes, minlength=10) / len(threes)
    distance = abs(share - np.array(list(strict.description["reference"]["shares"].values()))).sum() / 2
    assert other["class shares"]["distance"] == pytest.approx(distance)
