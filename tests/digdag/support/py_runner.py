"""Calls a function of a project the way `py>` does, for the test of recorded Digdag cases.

usage: py_runner.py COMMAND IN.json OUT.json, in the folder where modules are looked for.
IN holds the parameters; OUT gets {"store": …, "export": …, "subtasks": […]}.
"""

import importlib
import inspect
import json
import sys
import types


class Env:
    def __init__(self, params):
        self.params = params
        self.store_params = {}
        self.export_params = {}
        self.state_params = {}
        self.subtask_config = []
        self.subtask_index = 0

    def store(self, params):
        self.store_params.update(params)

    def export(self, params):
        self.export_params.update(params)

    def set_state(self, **params):
        self.state_params.update(params)

    def add_subtask(self, function=None, **params):
        if callable(function):
            name = f"{function.__module__}.{function.__qualname__}"
            self.subtask_config.append({"py>": name, **params})
        else:
            self.subtask_config.append(function)


def arguments(function, params):
    bound = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            bound.update({key: value for key, value in params.items() if key not in bound})
        elif name in params:
            bound[name] = params[name]
        elif parameter.default is parameter.empty and name != "self":
            raise TypeError(f"Method '{function.__name__}' requires parameter '{name}' but not set")
    return bound


def main():
    command, source, target = sys.argv[1:]
    with open(source) as file:
        params = json.load(file)
    env = Env(params)
    digdag = types.ModuleType("digdag")
    digdag.env = env
    sys.modules["digdag"] = digdag
    sys.path.insert(0, ".")
    sys.dont_write_bytecode = True
    names = command.split(".")
    for cut in range(len(names) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(names[:cut]))
            rest = names[cut:]
            break
        except ModuleNotFoundError:
            continue
    else:
        raise ValueError(f"no module in {command}")
    owner = None
    for name in rest:
        owner, found = found, getattr(found, name)
    if inspect.isclass(owner):
        found = getattr(owner(**arguments(owner.__init__, params)), rest[-1])
    if inspect.isclass(found):
        found = found(**arguments(found.__init__, params)).run
    found(**arguments(found, params))
    sys.stdout.flush()
    with open(target, "w") as file:
        json.dump({"store": env.store_params, "export": env.export_params, "subtasks": env.subtask_config}, file)


main()
