import click


@click.group()
@click.version_option(package_name="evenkeel")
def main() -> None: ...
