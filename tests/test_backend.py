"""The door to TensorFlow and Keras: quiet, the right Keras, seeds that hold, and one line where it is not installed."""

import importlib.util
import subprocess
import sys

import pytest

from edge_melanoma import backend
from edge_melanoma.errors import MissingExtraError, RecipeError

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(RecipeError, match="seed"):
        backend.set_seeds(seed)


def in_a_new_process(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_the_door_is_quiet_and_never_opens_keras_3():
    done = in_a_new_process(
        "import sys\n"
        "from edge_melanoma import backend\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert set(backend.versions()) == {'tensorflow', 'tf_keras', 'tfmot', 'numpy'}\n"
        "assert 'tensorflow' not in sys.modules\n"
        "keras = backend.keras()\n"
        "assert keras.__name__ == 'tf_keras' and 'keras' not in sys.modules\n"
        "backend.tensorflow().constant(1) + 1\n"
        "print('done')"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_what_is_no_routine_note_comes_through_the_quiet_door():
    done = in_a_new_process(
        "import os, sys\n"
        "from edge_melanoma import backend\n"
        "with backend.quiet_native_log():\n"
        "    os.write(2, b'I0000 00:00:1.2 3 port.cc:1] a note\\nW0000 something is wrong\\n')\n"
        "    print('from Python', file=sys.stderr)\n"
    )
    assert done.stderr == "W0000 something is wrong\nfrom Python\n"


def test_a_run_is_the_same_twice_where_determinism_is_asked_for():
    code = (
        "import numpy as np\n"
        "from edge_melanoma import backend\n"
        "from edge_melanoma.train.backbones import build_model\n"
        "backend.set_seeds(1); backend.be_deterministic()\n"
        "model = build_model('seedcnn', size=32, classes=2)\n"
        "model.compile('sgd', backend.keras().losses.SparseCategoricalCrossentropy(from_logits=True))\n"
        "model.fit(np.ones((8, 32, 32, 3)), np.arange(8) % 2, batch_size=4, epochs=1, verbose=0)\n"
        "print(sum(float(w.sum()) for w in model.get_weights()).hex())\n"
    )
    first, second = in_a_new_process(code), in_a_new_process(code)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_without_tensorflow_the_error_has_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    backend.tensorflow.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match=r"pip install 'edge-melanoma\[train\]'"):
            backend.tensorflow()
    finally:
        backend.tensorflow.cache_clear()
