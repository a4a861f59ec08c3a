"""A compose file for one host, around an image that was built from the package `container`, or that it builds itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.config.sections.resources import Resources
from gatekeeper.deploy.packages._base import DRAIN_S, PORT, USER, Asked, Content, Files, Part, check_images, pinned
from gatekeeper.deploy.packages._resources import Needs

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved

DESCRIPTION = "A compose file for one host: `docker compose up`."
KEY = "compose"
ASKED = False
CONTEXT = "image"


class SECTION(Resources, frozen=True, kw_only=True):
    """A server on one host."""

    image: Annotated[
        str, Meta(description="The image that was built and pushed, by its digest; also `--image`. Default: it is built there.")
    ] = ""
    base: Annotated[str, Meta(description="Of an image that is built there: as `container.base`; also `--base`.")] = ""
    builder: Annotated[str, Meta(description="And as `container.builder`.")] = ""
    listen: Annotated[
        str,
        Meta(
            pattern=r"^[0-9.]+:[0-9]{1,5}$",
            description="Address and port of the host. It asks for no password.",
            examples=["127.0.0.1:8000"],
        ),
    ] = "127.0.0.1:8000"


def parts(section: Any) -> list[Part]:
    """One server."""
    return [Part("compose", "", section, (KEY,))]


def problems(review: Review) -> None:
    """Images without their digests."""
    check_images(review, (KEY, "image"), (KEY, "base"), (KEY, "builder"))


def image(part: Part, asked: Asked) -> str:
    """The one that is run, where none is built there."""
    return asked.image or part.options.image


def unsaid(part: Part) -> tuple[str, ...]:
    """The image to build on, where the file names neither that nor one that is built."""
    return () if part.options.image or part.options.base else ("base",)


def pulled(part: Part) -> bool:
    """Where it names an image; else it is built on the host, from the package itself."""
    return bool(part.options.image)


def files(part: Part, approved: Approved, asked: Asked) -> Files:
    """compose.yaml, and what the image is built from where none is named."""
    from gatekeeper.deploy.packages._manifests import yaml_of
    from gatekeeper.deploy.packages._resources import needs_of
    from gatekeeper.deploy.packages.container import context, name_of

    stated, name = part.options, name_of(approved, asked)
    needs = needs_of(approved, stated, part.key)
    runs, made = image(part, asked), dict[str, Content]()
    if runs:
        source: dict[str, Any] = {"image": pinned(runs, "the image to run", "--image", f"{part.key}.image")}
    else:
        whole = context(approved, asked.base or stated.base, stated.builder, name, part.key)
        made = {f"{CONTEXT}/{file}": content for file, content in whole.items()}
        made |= {f"{CONTEXT}/evidence/{file}": data for file, data in approved.evidence.items()}
        source = {"build": {"context": f"./{CONTEXT}", "dockerfile": "Containerfile"}}
    made["compose.yaml"] = yaml_of(compose(name, source, stated.listen, needs), f"Memory and cores: {needs.why}.")
    return made


def compose(
    name: str, source: dict[str, Any], listen: str, needs: Needs, user: int = USER, check: bool = True, gpu: bool = False
) -> dict[str, Any]:
    """The compose file's content; `check` where the image has the Python that the health check is written in."""
    ready = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/v2/health/ready', timeout=2)"
    reserved: dict[str, Any] = {"cpus": str(needs.cpus), "memory": f"{needs.memory_mib}M"}
    if gpu:
        reserved["devices"] = [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    health = {
        "test": ["CMD", "python3", "-c", ready],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": "60s",
    }
    service = {
        **source,
        "user": f"{user}:{user}",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ports": [f"{listen}:{PORT}"],
        "restart": "unless-stopped",
        "stop_signal": "SIGTERM",
        "stop_grace_period": f"{DRAIN_S + 5}s",
        **({"healthcheck": health} if check else {}),
        "deploy": {"resources": {"limits": {"memory": f"{needs.memory_mib}M"}, "reservations": reserved}},
    }
    return {"name": name, "services": {name: service}}
