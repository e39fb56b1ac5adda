"""Compare a report with the template tables: every row that must be there is, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from tests.dicom_io.results.cad.context_groups import group
from tests.dicom_io.results.cad.templates import PARAMETERS, ROOTS, TEMPLATES, Place, Row

__all__ = ["template_problems"]


def template_problems(report: Dataset, headers: Iterable[Dataset]) -> list[str]:
    """Return in words where a report departs from its templates."""
    template = ROOTS[str(report.SOPClassUID)]
    by_uid = {str(header.SOPInstanceUID): header for header in headers}
    checker = _Checker(report, by_uid)
    return list(checker.root(template))


@dataclass(frozen=True)
class _Node:
    """A row with the rows below it."""

    row: Row
    template: str
    below: tuple[_Node, ...]


def _nest(template: str, rows: Sequence[Row], relation: str = "") -> tuple[_Node, ...]:
    """Nest rows by their levels; the first level takes the relationship of the row that includes it."""
    nodes = []
    for position, row in enumerate(rows):
        if row.level == rows[0].level:
            deeper = []
            for later in rows[position + 1 :]:
                if later.level <= row.level:
                    break
                deeper.append(later)
            own = row if row.relation else replace(row, relation=relation)
            nodes.append(_Node(own, template, _nest(template, deeper) if deeper else ()))
    return tuple(nodes)


class _Checker:
    def __init__(self, report: Dataset, headers: dict[str, Dataset]) -> None:
        self._report, self._headers = report, headers

    def root(self, template: str) -> Iterator[str]:
        (node,) = _nest(template, TEMPLATES[template])
        identification = self._report.ContentTemplateSequence[0]
        if (identification.MappingResource, identification.TemplateIdentifier) != ("DCMR", template):
            yield "the root does not name its template"
        if not self._fits(self._report, node.row):
            yield f"the root is not row 1 of TID {template}"
        yield from self._below(self._report, node, {})

    def _below(self, item: Dataset, node: _Node, parameters: dict[str, int]) -> Iterator[str]:
        children = list(item.get("ContentSequence") or ())
        place = Place(item, self._report, self._headers, parameters)
        taken = yield from self._rows(children, 0, node.below, place)
        for child in children[taken:]:
            yield f"below TID {node.template} row {node.row.number}: no row for {_shown(child)}"

    def _rows(
        self, children: list[Dataset], start: int, nodes: Sequence[_Node], place: Place
    ) -> Iterator[str]:
        """Yield problems; return how many children are taken, in the order of the rows."""
        taken = start
        for node in nodes:
            row, count = node.row, 0
            if row.kind == "INCLUDE":
                included = _nest(row.template, TEMPLATES[row.template], row.relation)
                given = replace(place, parameters={**place.parameters, **dict(row.parameters)})
                while taken < len(children) and self._begins(children[taken], included):
                    taken = yield from self._rows(children, taken, included, given)
                    count += 1
            else:
                while taken < len(children) and self._fits(children[taken], row):
                    yield from self._value(children[taken], row, node.template, place.parameters)
                    if not row.by_reference:
                        yield from self._below(children[taken], node, place.parameters)
                    taken, count = taken + 1, count + 1
                    if count == row.most:
                        break
            yield from _count_problems(row, node.template, count, place)
        return taken

    def _begins(self, child: Dataset, nodes: Sequence[_Node]) -> bool:
        for node in nodes:
            row = node.row
            if row.kind == "INCLUDE":
                if self._begins(child, _nest(row.template, TEMPLATES[row.template], row.relation)):
                    return True
            elif self._fits(child, row):
                return True
        return False

    def _fits(self, child: Dataset, row: Row) -> bool:
        if str(child.get("RelationshipType", "")) != row.relation:
            return False
        place = child.get("ReferencedContentItemIdentifier")
        if bool(place) is not row.by_reference:
            return False
        target = self._target(list(place)) if place else child
        if target is None or target.get("ValueType") != row.kind:
            return False
        names = target.get("ConceptNameCodeSequence")
        if row.name is None:
            return not names
        if not names or len(names) != 1:
            return False
        code = str(names[0].CodeValue), str(names[0].CodingSchemeDesignator)
        return code in group(row.name) if isinstance(row.name, int) else code == row.name

    def _target(self, place: list[int]) -> Dataset | None:
        item = self._report
        for position in place[1:]:
            children = list(item.get("ContentSequence") or ())
            if not 1 <= position <= len(children):
                return None
            item = children[position - 1]
        return item if place[:1] == [1] else None

    def _value(self, item: Dataset, row: Row, template: str, parameters: dict[str, int]) -> Iterator[str]:
        where = f"TID {template} row {row.number}"
        if row.by_reference:
            place = list(item.ReferencedContentItemIdentifier)
            library = self._target(place[:-1])
            if library is None or library.ConceptNameCodeSequence[0].CodeValue != "111028":
                yield f"{where} refers to an image outside the image library"
            return
        if row.kind == "CODE" and row.values is not None:
            code = item.ConceptCodeSequence[0]
            key = str(code.CodeValue), str(code.CodingSchemeDesignator)
            if isinstance(row.values, tuple):
                if key[0] not in row.values:
                    yield f"{where} has the value {key}"
                return
            number = row.values if row.values > 0 else parameters[PARAMETERS[row.values]]
            if group(number).get(key) != code.CodeMeaning:
                yield f"{where}: {key} {code.CodeMeaning!r} is not in context group {number}"
        if row.kind == "NUM":
            measured = item.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0]
            if unit.CodingSchemeDesignator != "UCUM" or unit.CodeValue not in row.units:
                yield f"{where} has the unit {unit.CodeValue}"
            if row.units == ("%",) and not 0 <= float(measured.NumericValue) <= 100:
                yield f"{where} is {measured.NumericValue} %"
        if row.kind == "SCOORD" and item.GraphicType not in row.graphics:
            yield f"{where} has the graphic type {item.GraphicType}"
        if row.kind == "TEXT" and not item.TextValue:
            yield f"{where} is empty"


def _count_problems(row: Row, template: str, count: int, place: Place) -> Iterator[str]:
    where = f"TID {template} row {row.number}"
    if count > row.most:
        yield f"{where} comes {count} times"
    applies = row.when(place) if row.when is not None else True
    if row.requirement == "M" and not count:
        yield f"{where} is missing"
    if row.requirement == "MC" and applies and not count:
        yield f"{where} is missing, its condition is met"
    if row.requirement in {"MC", "UC"} and not applies and not row.may and count:
        yield f"{where} is there, its condition is not met"


def _shown(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    name = names[0].CodeMeaning if names else "no name"
    return f"{item.get('RelationshipType')} {item.get('ValueType', 'by reference')} {name}"
