"""The findings of the experiments as tables, JSON and figures; a module for each experiment."""
