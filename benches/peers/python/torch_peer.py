"""PyTorch on the CPU.

Settings: `eager`; `compiled`, by `torch.compile`; either with `_last` for convolutions on images with channels last.
"""

import math
import warnings

import torch
import torch.nn.functional as F

import measure

warnings.filterwarnings("ignore")


class Model(torch.nn.Module):
    def __init__(self, data, last):
        super().__init__()
        self.network = data.network
        self.last = last
        parameter = lambda array: torch.nn.Parameter(torch.from_numpy(array.copy()))
        filters = [parameter(w.transpose(3, 2, 0, 1)) for w, _ in data.convolutions]
        if last:
            filters = [torch.nn.Parameter(w.detach().contiguous(memory_format=torch.channels_last)) for w in filters]
        dense = [w for w, _ in data.dense]
        if data.convolutions and not last:
            # Rows in the order in which channels come first.
            channels = data.network.convolutions[-1]["channels"]
            dense[0] = dense[0].reshape(-1, channels, dense[0].shape[1]).swapaxes(0, 1).reshape(dense[0].shape)
        self.filters = torch.nn.ParameterList(filters)
        self.matrices = torch.nn.ParameterList([parameter(w.T) for w in dense])
        self.biases = torch.nn.ParameterList([parameter(b) for _, b in data.convolutions + data.dense])

    def forward(self, h, keep):
        activation = {"relu": torch.relu, "sigmoid": torch.sigmoid}[self.network.activation]
        biases = iter(self.biases)
        for layer, w in zip(self.network.convolutions, self.filters):
            before, after = measure.padding(layer, h.shape[2])
            if before != after:
                h = F.pad(h, (before, after, before, after))
                before = 0
            h = activation(F.conv2d(h, w, next(biases), stride=layer["stride"], padding=before))
        h = (h.permute(0, 2, 3, 1) if self.last else h).flatten(1)
        for w in self.matrices[:-1]:
            h = activation(F.linear(h, w, next(biases)))
            if keep < 1:
                h = F.dropout(h, 1 - keep)
        return F.linear(h, self.matrices[-1], next(biases))


def settings(setting, threads):
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    return setting.startswith("compiled"), setting.endswith("_last")


def channels_first(images):
    """A view: one channel is first as well as last."""
    return torch.from_numpy(images).reshape(-1, 1, 28, 28)


def trainer(data, setting, threads):
    compiled, last = settings(setting, threads)
    network = data.network
    batches = data.batches(data.images, data.digits.astype("int64"))
    model = Model(data, last)
    if network.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=network.rate(0), fused=True)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=network.rate(0), eps=1e-8, fused=True)
    (group,) = optimizer.param_groups

    def loss(images, digits):
        logits = model(images, network.keep)
        return F.cross_entropy(logits, digits, label_smoothing=network.smoothing) * network.loss_scale

    if compiled:
        loss = torch.compile(loss, dynamic=False)

    def step(index):
        images, digits = batches[index % len(batches)]
        group["lr"] = network.rate(index)
        if network.optimizer != "sgd":
            # PyTorch multiplies the decay by the rate, and corrects epsilon for the start.
            group["weight_decay"] = network.weight_decay / group["lr"]
            group["eps"] = 1e-8 / math.sqrt(1 - 0.999 ** (index + 1))
        optimizer.zero_grad(set_to_none=True)
        loss(channels_first(images), torch.from_numpy(digits)).backward()
        optimizer.step()

    def check():
        images, digits = batches[0]
        with torch.inference_mode():
            logits = model(channels_first(images), 1.0)
            return F.cross_entropy(logits, torch.from_numpy(digits)) * network.loss_scale

    return step, check


def reader(data, setting, threads):
    compiled, last = settings(setting, threads)
    model = Model(data, last).eval()

    def digits(images):
        return model(images, 1.0).argmax(1)

    if compiled:
        from torch._inductor import config

        config.freezing = True
        digits = torch.compile(digits, dynamic=False)

    @torch.inference_mode()
    def read(count):
        return digits(channels_first(data.images[:count])).numpy()

    return read


measure.main(torch.__version__, trainer, reader)
