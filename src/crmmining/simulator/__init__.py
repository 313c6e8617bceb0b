"""A seeded CRM with mechanisms: Salesforce-shaped tables of any size, and the truth planted in them."""

from crmmining.simulator.crm import QUIRKS, TABLES, simulate

__all__ = ["QUIRKS", "TABLES", "simulate"]
