"""What is seen of a city: shapes from its tables and from results, for whoever draws them.

Each module makes the shapes of one subject; `twin show`, films, glTF and the presentation draw the
same ones. Coordinates are metres east, north and up of `Ground.origin`.
"""
