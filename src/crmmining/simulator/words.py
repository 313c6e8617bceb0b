"""Words that names are made of; some carry accents, commas and quotation marks on purpose."""

from typing import Final

FIRST_NAMES: Final = [
    "Ana", "Ben", "Chloé", "Daniel", "Emma", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Keiko", "Liam",
    "Mara", "Noah", "Olivia", "Pedro", "Quinn", "Rosa", "Samuel", "Tomás", "Uma", "Viktor", "Wen", "Yara",
]  # fmt: skip
LAST_NAMES: Final = [
    "Almeida", "Becker", "Chen", "Dubois", "Evans", "Fischer", "García", "Hansen", "Ito", "Jones", "Kowalski",
    "Lopes", "Müller", "Nakamura", "O'Brien", "Patel", "Quispe", "Rossi", "Silva", "Tanaka", "Ueda", "Varga",
    "Wilson", "Young", "Zhang",
]  # fmt: skip
COMPANY_HEADS: Final = [
    "Alpine", "Blue Harbor", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Horizon", "Iris", "Juniper",
    "Kestrel", "Lumen", "Meridian", "Northwind", "Orchard", "Pinnacle", "Quartz", "River", "Summit", "Tidal",
    "Umbra", "Vertex", "Willow", "Zenith",
]  # fmt: skip
COMPANY_TRADES: Final = [
    "Analytics", "Bank", "Chemicals", "Dairy", "Energy", "Foods", "Glass", "Hotels", "Instruments",
    "Logistics", "Media", "Optics", "Pharma", "Robotics", "Software", "Textiles",
]  # fmt: skip
COMPANY_FORMS: Final = ["Inc", "GmbH", "Ltd", ", Inc.", "S.A.", "K.K.", '"Nova" Group', "Co"]
INDUSTRIES: Final = [
    "Banking",
    "Energy",
    "Healthcare",
    "Manufacturing",
    "Retail",
    "Technology",
    "Transportation",
]
SUBJECTS: Final = [
    "Login fails after update",
    "Invoice shows wrong amount",
    "How to export, step by step?",
    'Message "not authorised"',
    "Slow dashboard",
    "Data missing since Monday",
    "Request for a new field",
    "Connection drops",
]
