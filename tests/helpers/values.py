"""Small values with fields, of a dataclass and of a model, for tests that match or check them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Named:
    path: str
    who: str


class Model(BaseModel):
    path: str
    who: str
