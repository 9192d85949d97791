"""What a V810 export lists as indicted, in the words of machine and reviewer, and whether its own counts agree.

Indictments are the machine's own calls and stay in the file after a review, with the reviewer's word beside each. In
the one defective export known, numberOfDefects counts every defect of an indictmentType that names several ("Voiding,
Individual Voiding" are two), and components count only what is indicted without a pin; other readers of the format
count indictments and components. A file agrees when it agrees with either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.axi.board import AxiFault
from edge.capture.readers.axi_settings import AxiFileSettings, BoardWord, JointWord
from edge.capture.readers.v810_fields import Fields
from edge.capture.readers.v810_xml import Element

# Passed, Reviewed Passed, Repaired, Repair None and, of indictments, False Call and Repaired were seen in real files;
# the others follow the names of the counts in RepairEventXML.
BOARD_WORDS: Mapping[str, BoardWord] = {
    "Passed": "passed",
    "Failed": "failed",
    "Reviewed Passed": "reviewed_passed",
    "Repaired": "reviewed_failed",
    "Repair None": "unreviewed",
}
JOINT_WORDS: Mapping[str, JointWord] = {
    "False Call": "false_call",
    "Variation OK": "false_call",
    "Repaired": "defect",
    "Repair Later": "open",
    "Active": "open",
}
_REVIEW_COUNTS = ("Active", "FalseCalled", "Repaired", "RepairLater", "VariationOk")
_NO_PIN = frozenset({"", "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Indictment:
    """One place that the machine called."""

    designator: str  # as written: `array:refdes`, or the refdes alone
    pin: str  # empty where the whole component is indicted
    words: str  # the machine's, e.g. "Insufficient, Open"
    review: str  # a JointWord, or empty where nobody was asked
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What was called, and what the export says of the board as a whole."""

    indictments: tuple[Indictment, ...]
    status: str  # testStatus and repairStatus as written
    review_status: str
    reviewed: bool
    components_tested: int
    joints_tested: int


def calls_of(fields: Fields, settings: AxiFileSettings) -> Calls:
    """Raises AxiFault for a word that the station does not know, and for what contradicts itself."""
    root = fields.elements[0]
    status, review_status = fields.text(root, "testStatus"), fields.text(root, "repairStatus")
    meant, after = (_board_word(fields, root, word, settings) for word in (status, review_status))
    indictments = _indictments(fields, settings)
    reviews = {one.review for one in indictments} - {"", "open"}
    reviewed = bool(reviews) or any(word.startswith("reviewed") for word in (meant, after))
    _check_status(fields.place(root, "testStatus"), status, (meant, after), indictments)
    _check_counts(fields, indictments, reviewed)
    return Calls(
        indictments=indictments,
        status=status,
        review_status=review_status,
        reviewed=reviewed,
        components_tested=fields.count(root, "numberOfComponentsTested"),
        joints_tested=fields.count(root, "numberOfJointsTested"),
    )


def _board_word(fields: Fields, root: Element, word: str, settings: AxiFileSettings) -> BoardWord:
    meant = settings.board_words.get(word) or BOARD_WORDS.get(word)
    if meant is None:
        raise AxiFault(
            f"{fields.place(root)}: {word!r} is no word of a board's status; declare what it means (board_words)"
        )
    return meant


def _indictments(fields: Fields, settings: AxiFileSettings) -> tuple[Indictment, ...]:
    found = []
    for at in fields.places_of("IndictmentXML"):
        element = fields.elements[at]
        components = fields.children(at, "ComponentXML")
        if not components:
            raise AxiFault(f"{fields.place(element)}: an indictment of no component")
        review = _review(fields, at, settings)
        words = fields.text(element, "indictmentType")
        for component in components:
            pin = component.attributes.get("pin", "")
            found.append(
                Indictment(
                    designator=fields.text(component, "designator"),
                    pin="" if pin in _NO_PIN else pin,
                    words=words,
                    review=review,
                    line=element.line,
                )
            )
    return tuple(found)


def _review(fields: Fields, at: int, settings: AxiFileSettings) -> str:
    """What a person said; of several the worst."""
    said = set()
    for action in fields.children(at, "RepairActionXML"):
        word = fields.text(action, "repairStatus")
        meant = settings.joint_words.get(word) or JOINT_WORDS.get(word)
        if meant is None:
            where = fields.place(action, "repairStatus")
            raise AxiFault(f"{where}: {word!r} is no word of a review; declare what it means (joint_words)")
        said.add(meant)
    return next((word for word in ("defect", "open", "false_call") if word in said), "")


def _check_status(
    where: str, status: str, meant: tuple[BoardWord, BoardWord], indictments: Sequence[Indictment]
) -> None:
    """A board's status, borne out by what is listed."""
    of_test, of_review = meant
    reviews = {one.review for one in indictments}
    wrong = ""
    if of_test == "unreviewed":
        wrong = "is a word of repairStatus, not of a test"
    elif of_test == "passed" and indictments:
        wrong = f"but {len(indictments)} places are indicted"
    elif of_test == "passed" and of_review.startswith("reviewed"):
        wrong = "but repairStatus says that a person decided"
    elif of_test != "passed" and not indictments:
        wrong = "but nothing is indicted: what it failed on is not in the file"
    elif "reviewed_passed" in meant and "defect" in reviews:
        wrong = "and passed on review, but the review confirms a defect"
    elif "reviewed_failed" in meant and reviews == {"false_call"}:
        wrong = "but the review calls everything good"
    if wrong:
        raise AxiFault(f"{where}: {status!r} {wrong}")


def _check_counts(fields: Fields, indictments: Sequence[Indictment], reviewed: bool) -> None:
    root = fields.elements[0]
    types = [fields.text(fields.elements[at], "indictmentType") for at in fields.places_of("IndictmentXML")]
    defects = {len(types), sum(len([part for part in text.split(",") if part.strip()]) for text in types)}
    pins = {len({(one.designator, one.pin) for one in indictments if one.pin})}
    whole = {one.designator for one in indictments if not one.pin}
    components = {len(whole), len({one.designator for one in indictments})}
    for key, listed in (
        ("numberOfDefects", defects),
        ("numberOfIndictedPins", pins),
        ("numberOfIndictedComponents", components),
    ):
        if (told := fields.count(root, key)) not in listed:
            counted = " or ".join(map(str, sorted(listed)))
            raise AxiFault(f"{fields.place(root, key)}: {told}, but the file lists {counted}")
    if fields.count(root, "numberOfIndictedPins") > fields.count(root, "numberOfJointsTested"):
        raise AxiFault(f"{fields.place(root, 'numberOfJointsTested')}: fewer joints tested than indicted")
    _check_review_counts(fields, fields.count(root, "numberOfDefects"), reviewed)


def _check_review_counts(fields: Fields, defects: int, reviewed: bool) -> None:
    """What became of the defects adds up to them once a person has been through all of them."""
    for at in fields.places_of("RepairEventXML"):
        event = fields.elements[at]
        keys = [f"numberOf{what}Defects" for what in _REVIEW_COUNTS]
        total = sum(fields.count(event, key) for key in keys if key in event.attributes)
        if total > defects or (reviewed and total < defects):
            raise AxiFault(f"{fields.place(event)}: a review of {total} defects, numberOfDefects is {defects}")
