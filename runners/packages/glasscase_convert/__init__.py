"""Turns models of Python libraries into ONNX, inside a job's sandbox, and shows by numbers that both give the same.

    python -m glasscase_convert --source DIR --output model.onnx --evidence evidence.json [--code DIR] [--opset N]

    source.py      which library a model is of, and what may be opened
    libraries/     one module for each library: how it loads, runs and exports
    rows.py        the inputs that both are run on
    ranges.py      from which range they are drawn: of the data that the model was trained on
    evidence.py    how far they may differ, and what is written down
    evaluators.py  ONNX Runtime and the ONNX reference evaluator
    tensors.py     named tensors in a file without code
"""
