"""Boxes with GPUs for tests on a machine without one: as shapes, and as a driver's library for other processes."""

import os
import shutil
import subprocess
from pathlib import Path

from harness.engines.gpus.nvml import Gpu, GpuBox

MIB = 2**20

# NVML's functions as a driver's library has them, told by the environment what there is
_NVML = r"""
#include <stdio.h>
#include <stdlib.h>
extern "C" {
typedef struct { unsigned long long total, free, used; } memory_t;
static long said(const char *name, long unsaid) { const char *t = getenv(name); return t ? atol(t) : unsaid; }
int nvmlInit_v2() { return said("TEST_GPUS", 0) < 0 ? 9 : 0; }
int nvmlShutdown() { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  snprintf(text, size, "%s", getenv("TEST_DRIVER") ? getenv("TEST_DRIVER") : "580.65.06"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = (unsigned) said("TEST_GPUS", 0); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned n, void **handle) { *handle = (void *) (size_t) (n + 1); return 0; }
int nvmlDeviceGetName(void *, char *text, unsigned size) { snprintf(text, size, "NVIDIA A10G"); return 0; }
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
  snprintf(text, size, "GPU-%zu0000000-aaaa", (size_t) handle); return 0; }
int nvmlDeviceGetMemoryInfo(void *, memory_t *m) {
  m->total = (unsigned long long) said("TEST_MIB", 22888) << 20; m->free = m->total; m->used = 0; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *, int *major, int *minor) {
  if (getenv("TEST_NO_CAPABILITY")) return 3;
  *major = 8; *minor = 6; return 0; }
}
"""


def compiled_nvml(folder: Path) -> Path:
    """The library, as the loader looks for it; its folder belongs into LD_LIBRARY_PATH."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    assert compiler is not None, "a C++ compiler is needed, as for llama.cpp"
    source, library = folder / "nvml.cc", folder / "libnvidia-ml.so.1"
    source.write_text(_NVML)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True, timeout=60)
    return library


def a_box(
    count: int,
    name: str = "NVIDIA A10G",
    memory_mib: int = 22_888,
    capability: tuple[int, int] = (8, 6),
    driver: str | None = "580.65.06",
) -> GpuBox:
    """Equal GPUs; an A10G has 22,888 MiB, 22.35 GiB."""
    gpus = (Gpu(n, name, f"GPU-{n}0000000-aaaa", memory_mib * MIB, capability) for n in range(count))
    return GpuBox(tuple(gpus), driver)
