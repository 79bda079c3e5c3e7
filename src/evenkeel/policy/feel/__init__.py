"""FEEL, the expression language of DMN 1.5: `parse_expression`, `parse_tests`, `evaluate`. Terms in ../README.md."""
