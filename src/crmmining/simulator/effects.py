"""The planted effects: what is true of a simulated CRM and can be found again in its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from crmmining.errors import CrmMiningError, UnknownNameError

SLOW_REGION: Final = "APAC"
GOOD_SOURCE: Final = "Referral"
REWORK_PRODUCT: Final = "Connector Pack"
CHANGE_DATE: Final = date(2024, 7, 1)


@dataclass(frozen=True)
class Effect:
    """One planted fact: the factor by which a measure differs where the effect works."""

    about: str
    factor: float
    where: Mapping[str, str]
    measure: str


EFFECTS: Final[Mapping[str, Effect]] = {
    "slow_region": Effect(
        about="Whatever owners of one region handle takes longer.",
        factor=2.0,
        where={"User.Division": SLOW_REGION},
        measure="median time from creation to the first closing, of cases and of opportunities; "
        "region against the rest",
    ),
    "good_source": Effect(
        about="Leads of one source convert more often.",
        factor=2.0,
        where={"Lead.LeadSource": GOOD_SOURCE},
        measure="share of created leads that are converted; source against the rest",
    ),
    "rework_product": Effect(
        about="Closed cases of one product are reopened more often.",
        factor=3.0,
        where={"Product2.Name": REWORK_PRODUCT},
        measure="share of closed cases that were reopened at least once; product against the rest",
    ),
    "process_change": Effect(
        about="From a date on, cases get their first response faster.",
        factor=0.5,
        where={"Case.CreatedDate from": CHANGE_DATE.isoformat()},
        measure="median time from creation to the first public response of cases; "
        "created from the date on against before",
    ),
}


@dataclass(frozen=True)
class Effects:
    """The factors in force; 1.0 where an effect is switched off."""

    slow_region: float
    good_source: float
    rework_product: float
    process_change: float

    @classmethod
    def of(cls, effects: bool | Mapping[str, bool | float]) -> "Effects":  # noqa: FBT001  the public option
        """All on, all off, or a mapping that switches single effects or sets their factor."""
        chosen = dict.fromkeys(EFFECTS, effects) if isinstance(effects, bool) else effects
        factors = {name: effect.factor for name, effect in EFFECTS.items()}
        for name, choice in chosen.items():
            if name not in EFFECTS:
                raise UnknownNameError("effect", name, EFFECTS)
            if isinstance(choice, bool):
                factors[name] = EFFECTS[name].factor if choice else 1.0
            elif choice > 0:
                factors[name] = float(choice)
            else:
                raise CrmMiningError(f"the factor of effect '{name}' is {choice}; it must be greater than 0.")
        return cls(**factors)

    def truth(self) -> dict[str, dict[str, object]]:
        """Describe every effect with the factor to find."""
        return {
            name: {
                "on": getattr(self, name) != 1.0,
                "factor": getattr(self, name),
                "where": dict(effect.where),
                "measure": effect.measure,
                "about": effect.about,
            }
            for name, effect in EFFECTS.items()
        }
