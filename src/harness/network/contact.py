"""What a command's wish to reach an unlisted host is, from the proxy up to the person."""

from dataclasses import dataclass

WEB = frozenset({80, 443})


@dataclass(frozen=True, slots=True)
class Contact:
    """A command wants to reach a host that no list names. `refused`: it was not let, and nobody is to be asked."""

    id: str
    host: str
    port: int
    refused: bool = False

    @property
    def place(self) -> str:
        """As a list takes it: the port only where it is an unusual one."""
        return self.host if self.port in WEB else f"{self.host}:{self.port}"

    @property
    def rules(self) -> tuple[str, ...]:
        """Permission rules that would allow it; they know no ports."""
        return (f"WebFetch(domain:{self.host})",) if self.port in WEB else ()

    @property
    def mend(self) -> str:
        return f"allow with --allow-domain {self.place}" + "".join(f" or the rule {rule}" for rule in self.rules)
