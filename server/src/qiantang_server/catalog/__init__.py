"""Catalog of the control plane: which services there are, who provides them, who may call them and who asks to."""
