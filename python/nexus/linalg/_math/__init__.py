"""The folder that ``math.__path__`` names once ``math.linalg`` is installed."""
