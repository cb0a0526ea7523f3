"""Networks as the real PyTorch, safetensors, Keras and scikit-learn write them: the origin of the files beside it.

    KERAS_BACKEND=torch python tests/networks/elsewhere/write.py    # with these installed; writes all files anew

`outputs.npz` has the examples and what each own network answers to them; `versions.json` the versions.
The tests read the files, those of PyTorch, safetensors and Keras only where the library is there.
"""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SIZES = (4, 5, 3)


def main() -> None:
    import h5py
    import keras
    import safetensors
    import sklearn
    import torch
    from safetensors.torch import save_file
    from sklearn.neural_network import MLPRegressor

    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4)).astype(np.float32)
    y = rng.normal(size=(6, 3))
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    torch.save(module.state_dict(), FOLDER / "torch.pt")
    save_file(module.state_dict(), FOLDER / "torch.safetensors")
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((4,)), dense(5, "tanh", bias_initializer="normal"), dense(3)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, y, verbose=0)  # so that the optimizer has arrays of its own in the file
    model.save(FOLDER / "model.keras")
    model.save(FOLDER / "model.h5")
    model.save_weights(FOLDER / "model.weights.h5")
    mlp = MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=20, random_state=0).fit(x, y)
    arrays = {f"coefs_{place}": array for place, array in enumerate(mlp.coefs_)}
    arrays |= {f"intercepts_{place}": array for place, array in enumerate(mlp.intercepts_)}
    np.savez(FOLDER / "sklearn.npz", **arrays)
    answers = {
        "torch": module(torch.tensor(x)).detach().numpy(),
        "keras": np.asarray(model.predict(x, verbose=0)),
        "sklearn": mlp.predict(x.astype(float)),
    }
    np.savez(FOLDER / "outputs.npz", x=x, **answers)
    versions = {library.__name__: library.__version__ for library in (torch, safetensors, keras, h5py, sklearn)}
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
