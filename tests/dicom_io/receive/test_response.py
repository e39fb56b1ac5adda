from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pynetdicom.dsutils import decode

from dicom_io.receive.listener import Listener
from dicom_io.receive.response import encode_store_response
from tests.dicom_io.receive.support import CR, RawPeer, encoded, make_film


@pytest.mark.parametrize("comment", ["", "odd", "even", "x" * 100, "Ünïcode"])
@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34", ""])
def test_decodes(comment: str, uid: str) -> None:
    data = encode_store_response(65535, CR, uid, 0xA900, comment)
    answer = decode(BytesIO(data), True, True)
    assert answer.CommandGroupLength == len(data) - 12
    assert answer.CommandField == 0x8001
    assert answer.MessageIDBeingRespondedTo == 65535
    assert answer.CommandDataSetType == 0x0101
    assert answer.Status == 0xA900
    assert answer.AffectedSOPClassUID == CR
    assert (answer.AffectedSOPInstanceUID or "") == uid
    assert len(answer.get("ErrorComment", "")) == min(len(comment), 64)
    assert [element.tag for element in answer] == sorted(element.tag for element in answer)


@pytest.mark.parametrize("maximum_pdu", [0, 7, 16, 128, 16384])
def test_fits_the_peer(listener: Listener, maximum_pdu: int) -> None:
    film = make_film()
    command = b""
    with RawPeer(listener.port) as peer:
        assert peer.associate(maximum_pdu=maximum_pdu) == 2
        peer.command(instance_uid=str(film.SOPInstanceUID))
        peer.fragment(encoded(film), 0x02)
        header = 0
        while not header & 2:
            kind, body = peer.answer()
            length, context, header = struct.unpack(">LBB", body[:6])
            assert (kind, context, length) == (4, 1, len(body) - 4)
            assert not maximum_pdu or len(body) <= maximum_pdu
            command += body[6:]
    answer = decode(BytesIO(command), True, True)
    assert (answer.Status, answer.AffectedSOPInstanceUID) == (0x0000, film.SOPInstanceUID)
