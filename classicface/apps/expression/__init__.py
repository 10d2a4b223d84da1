"""Expression: measures of a face seen straight on, and a classifier of them with its card."""

from classicface.apps.expression.card import card_text, cross_validate_expression
from classicface.apps.expression.classifier import ExpressionClassifier, expression_features
from classicface.apps.expression.measures import MEASURES, Expression, measure_expression

__all__ = [
    "MEASURES",
    "Expression",
    "ExpressionClassifier",
    "card_text",
    "cross_validate_expression",
    "expression_features",
    "measure_expression",
]
