from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.reading.sequences.contrast import contrast_named
from dicom_io.reading.sequences.describe import describe_series
from dicom_io.reading.sequences.words import named, tokens_of
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.series import series

WITHOUT = """
T1 -C|T1 C-|T1 (-C)|T1 (C-)|T1C-|-C AX T1|T1 C -|AX T1 -C FS
T1 KM-|T1 -KM|KM- T1|-KM T1 TRA|T1 (-KM)|T1 (KM-)|t1_tse_tra_-KM|t1_tse_-km_tra|T1 KM- TRA|T1KM-|T1 KM -
T1 Gd-|T1 -Gd|T1 (-Gd)|T1 (Gd-)|Gd- T1|-Gd T1|T1W FFE GD-|T1_Gd-_TRA|T1GD-|T1 [-Gd]|T1/-Gd
T1 \N{MINUS SIGN}Gd
T1 Gd\N{EN DASH}|T1 CE-|CE- T1|T1 -CE|T1 (CE-)|T1 -GAD|T1 GADO-|T1 INJ-|T1 -INJ|T1 MDC-|T1 -contrast
T1 minus KM|T1 minus Gd|T1 KM minus|T1_MPRAGE_KM_neg|T1 KM neg TRA|T1 Gd negative|KM: nein T1
T1 contrast: no|T1 KM 0|T1 \N{LATIN CAPITAL LETTER O WITH STROKE} KM
T1 W/O|T1 WO|AX T1 W/O|W/O AX T1|AX T1 WO 3MM|T1 w/o tra|SAG T1 NO C|T1 NON C|T1 W/O C|T1 WO C|T1 without C
T1 w/o contrast|T1 wo contrast|T1 without contrast|T1 without IV contrast|T1 no IV contrast
T1 w/o Gd|T1 wout gad
T1 without|T1 no contrast|T1 no-contrast|T1 non contrast|T1 non-contrast|T1 noncontrast|T1 NON CON|T1 no gad
T1 non Gd|T1 NON-ENHANCED|T1 unenhanced|T1 not enhanced|T1 non-contrast enhanced|T1 without enhancement
T1 pre|T1 PRE GAD|T1 pre-Gd|T1 precontrast|T1 pre-contrast|T1 PRE C|T1 before contrast|T1 before Gd
T1 PRE CON
T1 ohne KM|T1 ohne Kontrast|T1 ohne Kontrastmittel|T1 ohne i.v. KM|T1 o. KM|T1 o.KM|T1_ohne_KM
T1 ohne Gd|T1 ohne
T1 nativ|t1_tse_tra_nativ|T1 native|nativ T1|T1 kein KM|T1 keine KM-Gabe
T1 sans injection|T1 sans inj|T1 sans gado|T1 sans gadolinium|T1 sans injection de gado
T1 sans contraste|T1 sans
T1 sans produit de contraste|T1 sans PDC|T1 non inject\N{LATIN SMALL LETTER E WITH ACUTE}
T1 non injectee|T1 ss inj
T1 avant injection|T1 v. KM|T1 avant gado|T1 natif|T1 s/ gado
T1 sin contraste|T1 SE sin contraste|T1 sin gadolinio|T1 sin medio de contraste|T1 sin CIV|T1 S/C
T1 S/ CONTRASTE
T1 sin contraste IV|T1 sin|T1 antes de contraste|T1 sem contraste|T1 senza mdc|T1 senza contrasto
T1 prima di mdc|T1 prima del mdc|T1 zonder contrast
"""
WITH = """
T1 +C|T1 C+|+C T1|T1C|T1 (+C)|T1 (C+)|T1 KM|T1 KM+|T1 +KM|T1 (+KM)|T1+KM|t1_tse_tra_KM|T1_KM-TRA|T1 KM - TRA
T1 Gd|T1 Gd+|T1 +Gd|Gd-T1|T1 GD-DTPA|T1GD TRA|T1/Gd|T1W/GD|T1-GD-TRA|T1 AX +GD 10ML|T1 Gd FS|T1 gadovist
T1 CE|CE-T1|T1 CE FS|T1 mdc|T1 contrast|T1 contrast enhanced|T1 enhanced|T1 W CONTRAST
T1 w/ contrast|T1 with Gd
T1 with C|T1 with IV contrast|T1 AX W GAD|T1 after contrast|T1 after Gd
T1 post|T1 POST GAD|T1 post-Gd|T1 POST-CONTRAST|T1 postcontrast 3 min|POSTGAD T1|T1 POST HAND INJ
T1 POST CON
T1 POST GAD NO FS|T1 GAD NO FATSAT|AX T1 NO FS POST|T1 WITHOUT FS POST GAD|T1 NON FS GD
T1 GD W/O FS|T1 POST W/O FS
T1 pre op post GD|T1 GD post op|T1 PREOP GD|T1 preop +C|T1 KM post-OP
T1 mit KM|T1 mit Kontrast|T1 mit Kontrastmittel|T1 mit i.v. KM|T1 i.v. KM|T1 SS KM|T1 nach KM
T1 nach KM-Gabe|T1 nach Gd|T1_mit_KM
T1 avec injection|T1 avec gado|T1 apr\N{LATIN SMALL LETTER E WITH GRAVE}s injection|T1 apres gado
T1 inject\u00e9
T1 avec injection de gadolinium|T1 avec produit de contraste|T1 GADO
T1 con contraste|T1 con gadolinio|T1 con medio de contraste|T1 con CIV|T1 con contrasto|T1 con mdc
T1 C/C|T1 C/GD
T1 C/ CONTRASTE|T1 com contraste|T1 despu\u00e9s de contraste|T1 tras contraste|T1 dopo mdc
T1 dopo contrasto
T1 met contrast|T1 na contrast
"""
BOTH = """
T1 PRE/POST|T1 PRE+POST|T1 PRE & POST|T1 PRE-POST|T1 pre and post|T1 PRE POST GAD|T1 pre/post Gd
T1 pre- and post-Gd
T1 POST/PRE|T1 POST PRE CONTRAST|T1 before and after KM|T1 mit/ohne KM
T1 ohne/mit KM|T1 ohne und mit KM|T1 nativ + KM|T1 nativ/KM|T1 nativ und nach KM|T1 w wo contrast
T1 W/WO|T1 WO/W
T1 w/o and w contrast|T1 w/o then w|T1 with and without contrast|T1 without and with contrast
T1 WITHOUT/WITH Gd
T1 sans et avec gado|T1 avec et sans injection|T1 avant et apres injection|T1 sans/avec gado
T1 avant/apres gado
T1 sin y con contraste|T1 con y sin contraste|T1 S/C CONTRASTE|T1 sin/con gadolinio|T1 senza e con mdc
T1 +/- Gd|T1 +/-C|T1 KM +/-|T1 \N{PLUS-MINUS SIGN} KM|T1 KM post minus pre
"""
SILENT = """
T1|T1 TRA|COR T1|T1 post-op|T1 POST OP|T1 pre op|T1 post RT|T1 post therapy|T1 before surgery|T1 nach OP
T1 nach Bestrahlung|posterior fossa T1|T1 W/O FS|T1 WITHOUT FATSAT|T1 NO FS|T1 WO MT|T1 ohne FS
T1 sans FS|T1W
T1W TSE|T1 C-SPINE HEAD|T1 FS|T1 nach|T1 mit|T1 con|T1 O|T1 S|T1 in phase
"""
GERMAN_WITHOUT = "T1 vor KM|T1 vor KM-Gabe|T1 vor Gd|T1 KM negativ"  # codespell:ignore vor,negativ
GERMAN_BOTH = "T1 vor/nach KM|T1 vor und nach KM"  # codespell:ignore vor
# A dash between two words, or a minus?
DASH = """
T1-KM|T1-Gd|t1-gd|T1 TRA-KM|T1 TRA - KM|T1 - Gd|T1- KM|T1-C|T1W-GD
"""
SPELLINGS = [
    (spelling.strip(), stated)
    for spellings, stated in (
        (WITHOUT, "no"),
        (WITH, "yes"),
        (BOTH, "unknown"),
        (GERMAN_WITHOUT, "no"),
        (GERMAN_BOTH, "unknown"),
        (SILENT, "unknown"),
        (DASH, "unknown"),
    )
    for line in spellings.strip().splitlines()
    for spelling in line.split("|")
]


@pytest.mark.parametrize(("text", "stated"), SPELLINGS)
def test_spellings(text: str, stated: str) -> None:
    assert contrast_named(tokens_of(text))[0] == stated


@pytest.mark.parametrize(("text", "stated"), SPELLINGS)
def test_spellings_name_the_same_in_other_writing(text: str, stated: str) -> None:
    for other in (text.lower(), text.upper(), f"  {text} ", text.replace(" ", "_")):
        assert contrast_named(tokens_of(other))[0] == stated
        assert named(tokens_of(other)).base == "T1"


@pytest.mark.parametrize(("text", "stated"), SPELLINGS)
def test_only_words_of_the_vocabulary_are_returned(text: str, stated: str) -> None:
    said, word = contrast_named(tokens_of(text))
    assert bool(word) == (said != "unknown")
    assert word in ("", *tokens_of(text))


@pytest.mark.parametrize("text", ["T1 KM-", "T1 -Gd", "T1 (-Gd)", "T1 CE-", "T1 minus KM", "T1_KM_neg"])
def test_a_minus_is_never_t1_with_contrast(text: str) -> None:
    found = describe_series(series(text, **made.T1))
    assert (found.sequence, found.contrast, found.certainty) == ("T1", "no", "sure")


@pytest.mark.parametrize("text", ["T1 PRE/POST", "T1 PRE+POST", "T1 PRE & POST", "T1 PRE-POST", "T1-KM"])
def test_what_is_unclear_is_not_sure(text: str) -> None:
    found = describe_series(series(text, **made.T1))
    assert (found.sequence, found.contrast, found.certainty) == ("T1", "unknown", "likely")


@pytest.mark.parametrize(
    ("agent", "stated"),
    [
        ("ohne KM", "no"),
        ("nativ", "no"),
        ("sans injection", "no"),
        ("sin contraste", "no"),
        ("NO CONTRAST GIVEN", "no"),
        ("-KM", "no"),
        ("without", "no"),
        ("none", "no"),
        ("Gadovist", "yes"),
        ("7.5 ml Clariscan iv", "yes"),
        ("Bolus", "yes"),
    ],
)
def test_the_agent_attribute_may_say_that_there_is_none(agent: str, stated: str) -> None:
    assert describe_series(series("AX T1", ContrastBolusAgent=agent, **made.T1)).contrast == stated


@given(
    st.lists(st.sampled_from("T1 - + / ( ) _ PRE POST KM GD C W WO NO MINUS & AND OP".split()), max_size=12)
)
def test_any_words_are_read(words: list[str]) -> None:
    for text in ("".join(words), " ".join(words)):
        assert contrast_named(tokens_of(text))[0] in ("yes", "no", "unknown")
