"""An accounts service: a worked example of what stands behind the gateway."""
