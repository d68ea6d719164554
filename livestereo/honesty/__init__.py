"""Honest depth: σ and confidence of every answer, a reason for every hole; computed when somebody looks."""

from livestereo.honesty.explain import Explainer

__all__ = ["Explainer"]
