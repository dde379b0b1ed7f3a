# Each target is the only command needed on a fresh machine: it makes .venv, installs, fetches, runs.
.PHONY: install test lint bench bench-memory bench-fer bench-actor bench-seventh bench-train bench-gpu bench-loader bench-cif-parts bench-cif-cost bench-argen-tuning fuzz demo demo-augment clean

PYTHON ?= python3
BIN := .venv/bin
SAMPLES := sample-crying-to-laughing sample-single-face sample-face-noface sample-multi-face sample-astronaut

install: .venv/.all

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The core alone is what `mimica predict` needs; tests and training need the rest.
.venv/.core: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.all: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	@touch $@ .venv/.core

test: .venv/.all
	$(BIN)/mimica assets fetch mtcnn face-landmarker $(SAMPLES)
	$(BIN)/python -m pytest -n auto --durations=5

lint: .venv/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.all
	$(BIN)/mimica assets fetch mtcnn sample-crying-to-laughing
	$(BIN)/python benchmarks/predict.py --json benchmarks/results/predict.json
	$(BIN)/python benchmarks/startup.py --json benchmarks/results/startup.json
	$(BIN)/python benchmarks/camera.py --json benchmarks/results/camera.json
	$(BIN)/python benchmarks/duse.py --json benchmarks/results/duse.json

# Reads an hour of video: some minutes on two cores.
bench-memory: .venv/.all
	$(BIN)/mimica assets fetch mtcnn sample-crying-to-laughing
	$(BIN)/python benchmarks/memory.py --json benchmarks/results/memory.json

# `fer` brings TensorFlow and more, some gigabytes, and so has an environment of its own.
runs/fer/.installed:
	$(PYTHON) -m venv runs/fer
	runs/fer/bin/python -m pip install --quiet --disable-pip-version-check fer==25.10.3 "setuptools<81"
	@touch $@

bench-fer: .venv/.all runs/fer/.installed
	$(BIN)/mimica assets fetch mtcnn sample-crying-to-laughing
	$(BIN)/python benchmarks/against_fer.py --json benchmarks/results/against_fer.json

# Trains 24 recognisers, an hour on two cores; what is trained already in runs/actor is kept.
bench-actor: .venv/.all
	$(BIN)/mimica assets fetch minilm
	$(BIN)/python benchmarks/actor.py --json benchmarks/results/actor-emotion.json
	$(BIN)/python benchmarks/actor.py --task direction --clips 400 --test 400 --epochs 12 --json benchmarks/results/actor-direction.json

# Trains seven recognisers, each without one class, and reads that class by its description; what is trained is kept.
bench-seventh: .venv/.all
	$(BIN)/mimica assets fetch minilm
	$(BIN)/python benchmarks/seventh.py --json benchmarks/results/seventh.json

bench-train: .venv/.all
	$(BIN)/python benchmarks/train_step.py --json benchmarks/results/train_step.json

# Needs CUDA, and of the extras only `clip`.
bench-gpu: .venv/.all
	$(BIN)/python benchmarks/gpu_duse.py --json benchmarks/results/gpu_duse.json

# Draws jpegs into a temporary folder and trains on them for some minutes.
bench-loader: .venv/.all
	$(BIN)/python benchmarks/loader.py --json benchmarks/results/loader.json

# Draws parts and measures CIF on them, a quarter of an hour on two cores; what was measured already in runs/cif_parts is kept.
bench-cif-parts: .venv/.all
	$(BIN)/python benchmarks/cif_parts.py --json benchmarks/results/cif_parts.json

# Writes random weights into a temporary folder: DINO ViT-B/8 and Point-MAE, some 430 MB.
bench-cif-cost: .venv/.all
	$(BIN)/python benchmarks/cif_cost.py --json benchmarks/results/cif_cost.json

# Draws a long-tailed set, tunes the generator on its part train and measures on its part test.
bench-argen-tuning: .venv/.all
	$(BIN)/python benchmarks/argen_tuning.py --json benchmarks/results/argen_tuning.json

# Reads 300 damaged videos; one that is neither read nor refused in a sentence fails it.
fuzz: .venv/.all
	$(BIN)/mimica assets fetch mtcnn
	$(BIN)/python benchmarks/fuzz.py --json benchmarks/results/fuzz.json

demo: .venv/.core
	$(BIN)/mimica assets fetch mtcnn sample-crying-to-laughing
	$(BIN)/mimica predict asset:sample-crying-to-laughing --out demo --format csv parquet jsonl eaf vtt mp4 html

# The whole augmentation loop on drawn clips, as small as it can be.
demo-augment: .venv/.all
	$(BIN)/mimica assets fetch minilm
	$(BIN)/mimica augment demo --quick --out demo/augment

clean:
	rm -rf demo readings .pytest_cache .mypy_cache .ruff_cache
