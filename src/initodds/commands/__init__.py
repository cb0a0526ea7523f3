"""What a user types: `initodds`, `initodds-report`, `initodds-ui`, `initodds-explain`, `initodds-advise`,
`initodds-map`.

Each such module has a `main`, and turns an `InputError` into one line and exit status 1.
"""
