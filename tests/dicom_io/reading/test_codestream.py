from __future__ import annotations

import struct

import pytest

from dicom_io.reading.codestream import FrameSize, MalformedCodestream, jpeg_2000_size, jpeg_size


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def table(counts: dict[int, int], symbols: bytes, place: int = 0) -> bytes:
    return segment(0xC4, bytes([place, *(counts.get(bits, 0) for bits in range(1, 17))]) + symbols)


SOI = b"\xff\xd8"
FRAME = segment(0xC3, struct.pack(">BHHB", 12, 64, 48, 1) + b"\x01\x11\x00")
HUFFMAN = table({2: 3}, b"\x00\x01\x02")
SCAN = segment(0xDA, b"\x01\x01\x00\x01\x00\x00")


def test_a_lossless_frame() -> None:
    frame = SOI + segment(0xE0, b"JFIF\0") + HUFFMAN + FRAME + SCAN + bytes(40)
    assert jpeg_size(frame, "lossless") == FrameSize(64, 48, 1, 12)


def test_fill_bytes_before_a_marker() -> None:
    assert jpeg_size(SOI + b"\xff\xff" + HUFFMAN + FRAME + SCAN, "lossless").rows == 64


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        SOI,
        FRAME + HUFFMAN + SCAN,
        SOI + FRAME + SCAN,
        SOI + HUFFMAN + SCAN,
        SOI + HUFFMAN + FRAME,
        SOI + HUFFMAN + FRAME + FRAME + SCAN,
        SOI + segment(0xD1, b"\x00\x00") + HUFFMAN + FRAME + SCAN,
        SOI + HUFFMAN + segment(0xC0, FRAME[4:]) + SCAN,
        SOI + HUFFMAN + segment(0xC3, FRAME[4:-3]) + SCAN,
        SOI + HUFFMAN + segment(0xC3, FRAME[4:-2] + b"\x00\x00") + SCAN,
        SOI + table({1: 3}, b"\x00\x01\x02") + FRAME + SCAN,
        SOI + table({2: 3}, b"\x00\x01\x63") + FRAME + SCAN,
        SOI + table({2: 3}, b"\x00") + FRAME + SCAN,
        SOI + table({2: 3}, b"\x00\x01\x02", place=1) + FRAME + SCAN,
        SOI + table({2: 3}, b"\x00\x01\x02", place=0x20) + FRAME + SCAN,
        SOI + HUFFMAN + FRAME + segment(0xDA, b"\x01\x01\x00\x00\x00\x00"),
        SOI + HUFFMAN + FRAME + segment(0xDA, b"\x01\x01\x00\x01\x00\x0d"),
        SOI + HUFFMAN + FRAME + segment(0xDA, b"\x02\x01\x00\x01\x00\x00"),
        SOI + HUFFMAN + FRAME + b"\xff\xda\xff\xff",
    ],
)
def test_malformed_lossless_frames(frame: bytes) -> None:
    with pytest.raises(MalformedCodestream):
        jpeg_size(frame, "lossless")


def siz(columns: int = 48, rows: int = 64, tile: int = 64, components: int = 1, length: int = 41) -> bytes:
    fields = struct.pack(">HH8LH", length, 0, columns, rows, 0, 0, tile, tile, 0, 0, components)
    return b"\xff\x4f\xff\x51" + fields + b"\x0b\x01\x01" * max(components, 1)


def test_a_jpeg_2000_codestream_bare_and_in_boxes() -> None:
    assert jpeg_2000_size(siz()) == FrameSize(64, 48, 1, 12)
    assert jpeg_2000_size(b"\0\0\0\x0cjP  " + bytes(77) + siz()) == FrameSize(64, 48, 1, 12)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        siz()[:30],
        siz(length=40),
        siz(components=0, length=38),
        siz(tile=0),
        siz(columns=0),
        siz(columns=10**6, rows=10**6, tile=1),
    ],
)
def test_malformed_jpeg_2000(frame: bytes) -> None:
    with pytest.raises(MalformedCodestream):
        jpeg_2000_size(frame)
