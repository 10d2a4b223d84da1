"""What landmarks are for: small pieces over a picture and points, tied to no model or scheme."""
