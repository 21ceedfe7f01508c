"""Options of the consumer: flags override environment variables, which override defaults."""

from consumer.settings.evaluation import EvaluateSettings
from consumer.settings.inspection import InspectSettings
from consumer.settings.learning import RATES, Settings
from consumer.settings.shared import HttpSettings, RecordSettings

__all__ = [
    "RATES",
    "EvaluateSettings",
    "HttpSettings",
    "InspectSettings",
    "RecordSettings",
    "Settings",
]
