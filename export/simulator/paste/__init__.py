"""The line twin's paste prints: panels, runs and faults, drawn from a seed and calibrated on real boards."""

from export.simulator.paste.difficulty import DIFFICULTIES, Difficulty
from export.simulator.paste.faults import FAULT_KINDS, PrintFault, in_repeat_sigmas, printer_fault, random_pads
from export.simulator.paste.files import koh_young_name, panel_of, write_koh_young
from export.simulator.paste.prints import PrintRun, print_run
from export.simulator.paste.product import PasteProduct, paste_product
from export.simulator.paste.sets import PasteSet, write_paste_set
from export.simulator.paste.windows import full_ends, injected, product_table, window_batches, windows

__all__ = [
    "DIFFICULTIES",
    "FAULT_KINDS",
    "Difficulty",
    "PasteProduct",
    "PasteSet",
    "PrintFault",
    "PrintRun",
    "full_ends",
    "in_repeat_sigmas",
    "injected",
    "koh_young_name",
    "panel_of",
    "paste_product",
    "print_run",
    "printer_fault",
    "product_table",
    "random_pads",
    "window_batches",
    "windows",
    "write_koh_young",
    "write_paste_set",
]
