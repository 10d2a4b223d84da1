"""Chains of predictors: one starts from the points that another found."""

from classicface.chain.model import ChainFitter

__all__ = ["ChainFitter"]
