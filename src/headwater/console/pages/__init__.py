"""The pages, one file each. The folder is the menu: a new file's pages are found by themselves.

A page declares its path, and its place in the menu if it has one, and asks operations:

    @page("/sources", title="Sources", scope="sources:read", menu=Entry("input", 20, key="s"))
    async def sources(person: Person) -> None:
        found = await person.ask(list_sources, ListSources())
        ...
"""
