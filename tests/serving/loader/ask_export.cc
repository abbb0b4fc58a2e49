// Loads a SavedModel as TensorFlow Serving does and asks it requests: no Python, nothing of ours.
//
//   ask_export EXPORT REQUESTS ANSWERS [LIBRARY_OF_OPERATIONS]...
//
// REQUESTS is a TFRecord file of RunStepRequest: `session_handle` is the signature, `feed` its inputs by name. ANSWERS
// becomes one of RunStepResponse: `tensor` has the outputs by name. The seconds that loading and the first request took
// go to standard output.

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/lib/io/record_writer.h"
#include "tensorflow/core/protobuf/master.pb.h"
#include "tensorflow/core/public/session.h"

namespace {

void Require(const absl::Status& status, const std::string& what) {
  if (!status.ok()) {
    std::cerr << what << ": " << status << std::endl;
    std::exit(1);
  }
}

tensorflow::RunStepResponse Ask(const tensorflow::SavedModelBundle& bundle, const tensorflow::RunStepRequest& request) {
  const tensorflow::SignatureDef& signature = bundle.GetSignatures().at(request.session_handle());
  std::vector<std::pair<std::string, tensorflow::Tensor>> inputs;
  for (const tensorflow::NamedTensorProto& feed : request.feed()) {
    tensorflow::Tensor tensor;
    if (!tensor.FromProto(feed.tensor())) {
      std::cerr << "an input cannot be read: " << feed.name() << std::endl;
      std::exit(1);
    }
    inputs.emplace_back(signature.inputs().at(feed.name()).name(), tensor);
  }
  std::vector<std::string> names, fetches;
  for (const auto& [name, info] : signature.outputs()) {
    names.push_back(name);
    fetches.push_back(info.name());
  }
  std::vector<tensorflow::Tensor> outputs;
  Require(bundle.GetSession()->Run(inputs, fetches, {}, &outputs), request.session_handle());
  tensorflow::RunStepResponse response;
  for (size_t i = 0; i < outputs.size(); ++i) {
    tensorflow::NamedTensorProto* tensor = response.add_tensor();
    tensor->set_name(names[i]);
    outputs[i].AsProtoTensorContent(tensor->mutable_tensor());
  }
  return response;
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

  tensorflow::Env* env = tensorflow::Env::Default();
  std::unique_ptr<tensorflow::RandomAccessFile> requests;
  std::unique_ptr<tensorflow::WritableFile> answers;
  Require(env->NewRandomAccessFile(argv[2], &requests), argv[2]);
  Require(env->NewWritableFile(argv[3], &answers), argv[3]);
  tensorflow::io::SequentialRecordReader reader(requests.get());
  tensorflow::io::RecordWriter writer(answers.get());
  tensorflow::tstring record;
  bool first = true;
  while (reader.ReadRecord(&record).ok()) {
    tensorflow::RunStepRequest request;
    if (!request.ParseFromString(std::string(record))) {
      std::cerr << "a request is damaged" << std::endl;
      return 1;
    }
    const auto asked = std::chrono::steady_clock::now();
    const std::string response = Ask(bundle, request).SerializeAsString();
    if (first) std::cout << "answered in " << SecondsSince(asked) << " s" << std::endl;
    first = false;
    Require(writer.WriteRecord(response), "an answer cannot be written");
  }
  Require(writer.Close(), argv[3]);
  Require(answers->Close(), argv[3]);
}
