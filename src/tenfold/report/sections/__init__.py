"""The chapters of the report: each function takes the material and returns a chapter, or None where it has nothing."""
