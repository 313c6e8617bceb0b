"""What people look at: the process map, the report and the catalogue; the only rooms that draw."""

from crmmining.show.map import process_map
from crmmining.show.page import build_page, map_of
from crmmining.show.report import ProcessPage, ReportPage, render

__all__ = ["ProcessPage", "ReportPage", "build_page", "map_of", "process_map", "render"]
