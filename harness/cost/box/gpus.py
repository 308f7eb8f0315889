"""What one GPU can do at most, from its maker's datasheet: arithmetic and memory bandwidth."""

from dataclasses import dataclass

from harness.prices.price_file import InstanceRow

_EIGHT = 8


@dataclass(frozen=True, slots=True)
class Gpu:
    """Peak dense tensor TFLOPS in 16 bits, times that in 8 and in 4, and GB/s of its memory; None: not found."""

    tflops: float | None
    gb_per_s: float
    in_8_bits: float = 2.0
    in_fp4: float | None = None  # None: it has no such arithmetic, 8 bits are its fastest

    def tflops_at(self, bits: float, *, is_fp4: bool) -> float | None:
        """The fastest arithmetic that weights of so many bits may be used in; of integers of 4 bits it is 16."""
        if self.tflops is None:
            return None
        if is_fp4:
            return self.tflops * (self.in_fp4 or self.in_8_bits)
        return self.tflops * (self.in_8_bits if bits == _EIGHT else 1.0)


# dense, never with sparsity; A10G is not the A10. By name, or by name and whole GiB where the memory differs
_GPUS = {
    "T4": Gpu(65, 320),
    "L4": Gpu(121, 300),
    "A10G": Gpu(70, 600),
    "A10": Gpu(125, 600),
    "L40S": Gpu(362, 864),
    "A100": Gpu(312, 2039),
    "A100 40": Gpu(312, 1555),
    "H100": Gpu(989, 3350),
    "H100 PCIe": Gpu(756, 2000),
    "H100 NVL": Gpu(835, 3900),
    "H200": Gpu(989, 4800),
    "GH200": Gpu(989, 4900),
    "B200": Gpu(2250, 8000, in_fp4=4.0),
    "B300": Gpu(2250, 8000, in_fp4=14_000 / 2250),
    "MI300X": Gpu(1307, 5300),
    "RTX PRO 6000": Gpu(468, 1792, in_fp4=4.0),
    "RTX PRO 4500": Gpu(None, 896),
    "RTX 4090": Gpu(165, 1008),
}


def gpu_of(instance: InstanceRow) -> Gpu | None:
    """The GPU of an instance; None: it has none, or one that is not listed here."""
    if instance.gpu is None or instance.gpu_count == 0:
        return None
    by_memory = f"{instance.gpu} {instance.gpu_memory_gib or 0:.0f}"
    return _GPUS.get(by_memory) or _GPUS.get(instance.gpu)
