"""The typed schema of conf/: which keys there are, and of which type and range each is."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Target = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Target_ = dict[str, Any]
"""A part of the config with a `_target_`, for Hydra to instantiate."""


class Section(BaseModel):
    """A part of the config: no key more or less than its fields, each of its type as it stands."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class DataSettings(Section):
    """Group data: which examples, and how they are prepared. Other keys are the data set's own, and stand in `load`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    load: Target_
    root: str | None = None
    invert: bool = False
    standardize: bool = False
    scale: Literal["unit", "raw", "standardize", "minmax"] = "unit"
    scale_targets: Literal["raw", "standardize"] = "raw"
    autoencode: bool = False
    output: str | Target_ | None = "logistic"
    outputs: Count | None = None
    usual_batch_size: Count = 10
    every_example: bool = False
    target_accuracy: Target


class NetworkSettings(Section):
    """Group network: the units between the features and the answers, and the outputs with their cost."""

    hidden: list[Count]
    activation: str | list[str] | Target_
    negative_slope: float = 0.01
    output: str | Target_ = "logistic"
    cost: str
    bias: bool = True
    outputs: Count | None = None
    targets: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.0, 1.0]


class SgdSettings(Section):
    """sgd: how the networks are trained."""

    batch_size: Count
    learning_rate: Positive
    layer_rates: list[Positive] | None = None
    epochs: Count
    reduction: Literal["mean", "sum"]
    orders: Count | None
    checkpoints: Annotated[int, Field(ge=0)]


class ScheduleSettings(Section):
    """schedule: how the learning rate changes over the training, see `initodds.training.schedules`."""

    name: str = "constant"
    warmup: NonNegative = 0.0
    every: Count = 10
    factor: Positive = 0.1


class OutcomeSettings(Section):
    """Group outcome: the rule that gives each replicate its outcome."""

    target: Target
    dead_recall: Share
    standard_errors: NonNegative
    every_example: bool = False


class DiagnosisSettings(Section):
    """Group diagnosis: which replicates are diagnosed, and how far."""

    of: Literal["none", "failed", "all"]
    curvature: Literal["none", "stuck", "failed", "all"]
    escape: bool
    keep_weights: Literal["none", "failed", "all"]


class TrackingSettings(Section):
    """Group tracking: where the runs are written."""

    uri: Name
    experiment: Name
    replicates: Literal["runs", "table"]
    rerun: bool
    patience: NonNegative
    job: Annotated[int, Field(ge=0)]


class Settings(Section):
    """One cell."""

    seed: Annotated[int, Field(ge=0)]
    replicates: Count
    dtype: Literal["float32", "float64"]
    data: DataSettings
    network: NetworkSettings
    init: Target_
    engine: Target_
    optimizer: Target_ = {"_target_": "initodds.engines.optimizers.SGD"}
    sgd: SgdSettings
    schedule: ScheduleSettings = ScheduleSettings()
    outcome: OutcomeSettings
    diagnosis: DiagnosisSettings
    tracking: TrackingSettings

    @field_validator("init")
    @classmethod
    def _without_idle_keys(cls, init: Target_) -> Target_:
        """Without `bias` and `layers` where they ask for nothing, and with the layers' places as JSON has them, so that
        a cell is the same one as before there were such keys, and as when it is read back."""
        kept = {key: value for key, value in init.items() if key not in ("bias", "layers") or value not in (None, {})}
        if isinstance(kept.get("layers"), dict):
            kept["layers"] = {str(place): rule for place, rule in kept["layers"].items()}
        return kept
