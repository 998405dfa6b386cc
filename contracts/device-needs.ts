import type { Device } from './config.ts';

/** What a device takes that npm does not bring: for whom it does not open. */
export const DEVICE_NEEDS: { readonly [device in Exclude<Device, 'cpu'>]: string } = {
  cuda:
    'Linux x64, an NVIDIA driver, CUDA 12 with cuDNN 9, and the part of onnxruntime-node that npm leaves out: ' +
    'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12',
  webgpu:
    'the driver of a GPU (Vulkan on Linux, and libvulkan1), or a renderer in software: Mesa (mesa-vulkan-drivers), or ' +
    'SwiftShader with VK_ICD_FILENAMES',
};
