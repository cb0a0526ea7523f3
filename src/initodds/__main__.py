"""`python -m initodds`: the command `initodds`."""

from initodds.commands.run import main

if __name__ == "__main__":
    main()
