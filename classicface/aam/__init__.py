"""Active appearance models: shape and appearance fitted together by Gauss-Newton steps."""
