#!/usr/bin/python3
"""VGG-16 on CIFAR-100 in PyTorch on the CPU, from the weights and in the sample order that tpbench uses.

The other side of torch_compare.sh: one thread, SGD with momentum, batches in file order, the same ones in every epoch.
Prints one JSON object with loss and speed of each epoch, in the words of `tpbench run --json`.
"""

import argparse
import json
import statistics
import struct
import time

import numpy
import torch

CHANNELS = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
MEAN = (0.5071, 0.4865, 0.4409)
STD = (0.2673, 0.2564, 0.2762)
RECORD_BYTES = 2 + 3 * 32 * 32  # coarse label, fine label, pixels


class Vgg16(torch.nn.Module):
    """torchvision's features, then the head for small images: global average pooling and one linear layer."""

    def __init__(self, batchnorm):
        super().__init__()
        layers, inputs = [], 3
        for outputs in CHANNELS:
            if outputs == "M":
                layers.append(torch.nn.MaxPool2d(2, 2))
                continue
            layers.append(torch.nn.Conv2d(inputs, outputs, 3, padding=1))
            if batchnorm:
                layers.append(torch.nn.BatchNorm2d(outputs))
            layers.append(torch.nn.ReLU(inplace=True))
            inputs = outputs
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Linear(inputs, 100)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def read_safetensors(path):
    """The tensors of a file; float32 and int64 are all that tpbench writes."""
    types = {"F32": numpy.float32, "I64": numpy.int64}
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = numpy.frombuffer(content[begin:end], dtype=types[entry["dtype"]])
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def read_batches(path, batch, count):
    """The first `count` batches of a CIFAR-100 file, normalised."""
    records = numpy.fromfile(path, dtype=numpy.uint8, count=batch * count * RECORD_BYTES)
    records = records.reshape(count, batch, RECORD_BYTES)
    pixels = records[:, :, 2:].reshape(count, batch, 3, 32, 32).astype(numpy.float32) / 255
    shape = (1, 1, 3, 1, 1)
    pixels = (pixels - numpy.float32(MEAN).reshape(shape)) / numpy.float32(STD).reshape(shape)
    return torch.from_numpy(pixels.astype(numpy.float32)), torch.from_numpy(records[:, :, 1].astype(numpy.int64))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="initial weights, a safetensors file")
    parser.add_argument("--data", required=True, help="train.bin of CIFAR-100")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--mini-batches", type=int, default=4, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--memory-format", choices=("contiguous", "channels_last"), default="contiguous")
    parser.add_argument("--batchnorm", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(1)
    layout = torch.channels_last if args.memory_format == "channels_last" else torch.contiguous_format
    model = Vgg16(args.batchnorm)
    model.load_state_dict(read_safetensors(args.weights))
    model = model.to(memory_format=layout).train()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.lr, momentum=args.momentum, weight_decay=args.weight_decay
    )
    criterion = torch.nn.CrossEntropyLoss()
    samples, labels = read_batches(args.data, args.batch, args.mini_batches)
    samples = [x.contiguous(memory_format=layout) for x in samples]

    epochs = []
    for epoch in range(args.epochs):
        losses = []
        start = time.perf_counter()
        for x, label in zip(samples, labels):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x), label)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        took = time.perf_counter() - start
        epochs.append(
            {
                "epoch": epoch + 1,
                "train_loss": statistics.fmean(losses),
                "samples_per_s": args.batch * args.mini_batches / took,
            }
        )
    print(json.dumps({"torch": torch.__version__, "memory_format": args.memory_format, "epochs": epochs}))


if __name__ == "__main__":
    main()
