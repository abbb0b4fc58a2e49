// Loads a SavedModel as TensorFlow Serving does and asks it requests, without Python and without any code of rnnapps.
//
//   ask_export EXPORT REQUESTS ANSWERS [LIBRARY_OF_OPERATIONS]...
//
// REQUESTS and ANSWERS are TFRecord files of NamedTensorProto. A record without a tensor names a signature; the records
// after it, up to the next such one, are a request's inputs or its outputs. The seconds that loading and the first
// request took go to standard output.

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/lib/io/record_writer.h"
#include "tensorflow/core/protobuf/named_tensor.pb.h"
#include "tensorflow/core/public/session.h"

namespace {

void Require(const absl::Status& status, const std::string& what) {
  if (!status.ok()) {
    std::cerr << what << ": " << status << std::endl;
    std::exit(1);
  }
}

using NamedTensors = std::vector<tensorflow::NamedTensorProto>;

struct Request {
  std::string signature;
  NamedTensors inputs;
};

std::vector<Request> ReadRequests(const std::string& path) {
  std::unique_ptr<tensorflow::RandomAccessFile> file;
  Require(tensorflow::Env::Default()->NewRandomAccessFile(path, &file), path);
  tensorflow::io::SequentialRecordReader reader(file.get());
  std::vector<Request> requests;
  tensorflow::tstring record;
  while (reader.ReadRecord(&record).ok()) {
    tensorflow::NamedTensorProto tensor;
    if (!tensor.ParseFromString(std::string(record))) {
      std::cerr << path << ": a record is damaged" << std::endl;
      std::exit(1);
    }
    if (tensor.has_tensor()) {
      requests.back().inputs.push_back(tensor);
    } else {
      requests.push_back({tensor.name(), {}});
    }
  }
  return requests;
}

NamedTensors Ask(const tensorflow::SavedModelBundle& bundle, const Request& request) {
  const tensorflow::SignatureDef& signature = bundle.GetSignatures().at(request.signature);
  std::vector<std::pair<std::string, tensorflow::Tensor>> inputs;
  for (const tensorflow::NamedTensorProto& input : request.inputs) {
    tensorflow::Tensor tensor;
    if (!tensor.FromProto(input.tensor())) {
      std::cerr << input.name() << ": the input cannot be read" << std::endl;
      std::exit(1);
    }
    inputs.emplace_back(signature.inputs().at(input.name()).name(), tensor);
  }
  NamedTensors named;
  std::vector<std::string> fetches;
  for (const auto& [name, info] : signature.outputs()) {
    named.emplace_back().set_name(name);
    fetches.push_back(info.name());
  }
  std::vector<tensorflow::Tensor> outputs;
  Require(bundle.GetSession()->Run(inputs, fetches, {}, &outputs), request.signature);
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].AsProtoField(named[i].mutable_tensor());
  return named;
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: ask_export EXPORT REQUESTS ANSWERS [LIBRARY_OF_OPERATIONS]..." << std::endl;
    return 2;
  }
  for (int i = 4; i < argc; ++i) {
    if (dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      std::cerr << dlerror() << std::endl;
      return 1;
    }
  }
  const auto start = std::chrono::steady_clock::now();
  tensorflow::SavedModelBundle bundle;
  Require(tensorflow::LoadSavedModel({}, {}, argv[1], {"serve"}, &bundle), "LoadSavedModel");
  std::cout << "loaded in " << SecondsSince(start) << " s" << std::endl;

  std::unique_ptr<tensorflow::WritableFile> file;
  Require(tensorflow::Env::Default()->NewWritableFile(argv[3], &file), argv[3]);
  tensorflow::io::RecordWriter writer(file.get());
  bool first = true;
  for (const Request& request : ReadRequests(argv[2])) {
    const auto asked = std::chrono::steady_clock::now();
    NamedTensors answer = Ask(bundle, request);
    if (first) std::cout << "answered in " << SecondsSince(asked) << " s" << std::endl;
    first = false;
    tensorflow::NamedTensorProto signature;
    signature.set_name(request.signature);
    answer.insert(answer.begin(), signature);
    for (const auto& tensor : answer) Require(writer.WriteRecord(tensor.SerializeAsString()), argv[3]);
  }
  Require(writer.Close(), argv[3]);
  Require(file->Close(), argv[3]);
}
