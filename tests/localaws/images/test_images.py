"""Images by their URIs, the hub cache, and what the training toolkit makes of a job's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from localaws.images import UnknownImage, hub, resolve
from localaws.images.pytorch import ConfigurationError, Settings, arguments, command, variables
from localaws.images.requirements import unsatisfied
from localaws.sagemaker.jobs import environment


@pytest.mark.parametrize(
    ("uri", "repository"),
    [
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310", "pytorch-training"),
        ("huggingface-pytorch-inference", "huggingface-pytorch-inference"),
        ("683313688378.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3", "sagemaker-scikit-learn"),
        ("localhost:5000/pytorch-inference@sha256:0123", "pytorch-inference"),
    ],
)
def test_an_image_is_known_by_its_repository_whatever_registry_and_tag(uri: str, repository: str) -> None:
    assert resolve(uri).repository == repository


def test_an_unknown_image_is_refused_by_name_with_those_that_are_known() -> None:
    with pytest.raises(UnknownImage, match=r"example\.com/my-own:1.*pytorch-training"):
        resolve("example.com/my-own:1")


def _settings(root: Path, **parameters: str) -> Settings:
    config = root / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "hyperparameters.json").write_text(json.dumps(parameters))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {}, "validation": {}}))
    resources = {
        "current_host": "algo-2",
        "hosts": ["algo-1", "algo-2"],
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "instance_groups": [{"instance_group_name": "homogeneousCluster"}],
        "network_interface_name": "lo",
    }
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    return Settings.read(root)


def test_hyperparameters_json_or_plain_become_arguments_in_order_of_names(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        sagemaker_program='"train.py"',
        model_name='"distil roberta"',
        base="roberta-base",
        lr="2e-05",
        freeze="true",
        betas='{"b": 2, "a": 1}',
        n="3",
        s3="s3://bucket/x",
    )
    assert arguments(settings.hyperparameters) == [
        *("--base", "roberta-base", "--betas", "a=1,b=2", "--freeze", "True", "--lr", "2e-05"),
        *("--model_name", "distil roberta", "-n", "3", "--s3", "s3://bucket/x"),
    ]


def test_sm_variables_describe_the_job(tmp_path: Path) -> None:
    found = variables(_settings(tmp_path, sagemaker_program='"src/train.py"', epochs="3", name='"x"'))
    assert found["SM_CHANNEL_TRAIN"] == f"{tmp_path}/input/data/train"
    assert found["SM_CHANNELS"] == '["train", "validation"]'
    assert found["SM_MODEL_DIR"] == f"{tmp_path}/model"
    assert found["SM_OUTPUT_DATA_DIR"] == f"{tmp_path}/output/data"
    assert found["SM_HP_EPOCHS"] == "3"
    assert found["SM_HP_NAME"] == "x"
    assert json.loads(found["SM_HPS"]) == {"epochs": 3, "name": "x"}
    assert json.loads(found["SM_HOSTS"]) == ["algo-1", "algo-2"]
    assert found["SM_CURRENT_HOST"] == "algo-2"
    assert found["SM_NUM_CPUS"] == str(os.cpu_count())
    assert json.loads(found["SM_TRAINING_ENV"])["user_entry_point"] == "src/train.py"


def test_distribution_goes_through_torchrun_with_this_host_s_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PORT", "29511")
    settings = _settings(tmp_path, sagemaker_program='"t.py"', sagemaker_torch_distributed_enabled="true", epochs="1")
    words = command(settings)
    assert words[1:3] == ["-m", "torch.distributed.run"]
    assert words[words.index("--nnodes") + 1] == "2"
    assert words[words.index("--node_rank") + 1] == "1"
    assert words[-3:] == ["t.py", "--epochs", "1"]


def test_a_shell_script_is_run_by_a_shell(tmp_path: Path) -> None:
    assert command(_settings(tmp_path, sagemaker_program='"go.sh"', a="1")) == ["/bin/sh", "go.sh", "-a", "1"]


def test_a_job_without_a_program_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="sagemaker_program"):
        _ = _settings(tmp_path).program


def test_requirements_are_held_against_what_is_installed(tmp_path: Path) -> None:
    torch = version("torch").partition("+")[0]
    (tmp_path / "more.txt").write_text("surely-not-installed-here\n-r requirements.txt\n")
    path = tmp_path / "requirements.txt"
    path.write_text(
        f"# a comment\ntorch=={torch}  # pinned\nTransformers[sentencepiece]>=4\n--extra-index-url https://x\n"
        "numpy<0.1\npywin32; sys_platform == 'win32'\n-r more.txt\ngit+https://example.com/x.git\n"
    )
    assert unsatisfied(path) == [
        f"numpy<0.1 (installed: {version('numpy')})",
        "surely-not-installed-here (not installed)",
        "git+https://example.com/x.git (only names and versions can be checked)",
    ]
    assert unsatisfied(tmp_path / "none.txt") == []


def test_the_hub_cache_serves_the_model_by_its_name_to_an_unmodified_script(tmp_path: Path) -> None:
    home = tmp_path / "localaws"
    cache = hub.prepare(home)
    assert cache == home / "cache" / "huggingface"
    script = (
        "from transformers import AutoConfig, AutoTokenizer\n"
        f"print(AutoConfig.from_pretrained({hub.MODEL!r}).hidden_size)\n"
        f"print(AutoTokenizer.from_pretrained({hub.MODEL!r})('great dress')['input_ids'])\n"
    )
    variables = environment.child(home, "http://127.0.0.1:1", "us-east-1", home / "credentials")
    answer = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.splitlines() == ["384", "[101, 2307, 4377, 102]"]


def test_a_home_from_elsewhere_gets_links_to_this_environment(tmp_path: Path) -> None:
    """Of a back-up that is restored beside another checkout the links lead to where no job may look."""
    cache = hub.prepare(tmp_path / "localaws")
    (link,) = cache.glob("hub/*/snapshots/*/config.json")
    here = link.readlink()
    for path in link.parent.iterdir():
        if path.is_symlink():
            path.unlink()
            path.symlink_to(tmp_path / "gone" / path.name)
    hub.prepare(tmp_path / "localaws")
    assert link.readlink() == here
    assert sorted(path.name for path in cache.iterdir()) == ["hub"]


def test_weights_that_are_not_the_right_ones_are_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "altered_model"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "model" / "model.safetensors").write_bytes(b"altered")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(hub, "PACKAGE", "altered_model")
    with pytest.raises(hub.HubError, match="SHA-256"):
        hub.prepare(tmp_path / "localaws")
    assert not (tmp_path / "localaws" / "cache" / "huggingface" / "hub").exists()


def test_without_the_wheel_the_cache_is_empty_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PACKAGE", "surely_not_installed_here")
    assert list(hub.prepare(tmp_path).iterdir()) == []


def test_a_child_s_environment_points_at_this_server_and_carries_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    own = tmp_path / "own"
    found = environment.child(tmp_path / "localaws", "http://127.0.0.1:4566", "eu-west-1", own)
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert found["AWS_SHARED_CREDENTIALS_FILE"] in (str(own), "/run/localaws/credentials")
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["OMP_NUM_THREADS"] == "2"
    assert found["PATH"].startswith(str(Path(sys.executable).parent))
    assert "secret" not in found.values()
