// Runs every cell over many small shapes, forward and back, in buffers of exactly the size that the ops allocate, for
// AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer to watch. Also checks that rows taken one by one, and
// units spread over threads, give the same bits as all at once. See sanitize.sh.
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "weights.h"

using namespace rnnapps;
using Floats = std::vector<float>;

std::mt19937 generator(1);

Floats random_floats(int64_t count) {
  std::uniform_real_distribution<float> one(-1, 1);
  Floats floats(count);
  for (float& value : floats) value = one(generator);
  return floats;
}

template <class Packs>
void pack_all(Packs& packs) {
  for (auto& pack : packs)
    for (int64_t panel = 0; panel < pack.panels.count(); ++panel) pack(panel);
}

// The parts of every step on three threads, one of which may come late or when all is done.
template <int at_once>
void on_threads(int64_t steps, int64_t parts, const StepBody& body) {
  Steps all(steps, parts, 3, at_once);
  std::vector<std::thread> others;
  for (int i = 1; i < 3; ++i) others.emplace_back([&all, &body, i] { all.join(i, body); });
  all.join(0, body);
  for (std::thread& one : others) one.join();
}

// The inputs projected by two more threads, which may come late.
struct TwoAhead {
  std::vector<std::thread> others;
  ~TwoAhead() {
    for (std::thread& one : others) one.join();
  }
  std::shared_ptr<Ahead> operator()(int64_t count, const Ahead::Make& make) {
    const auto items = std::make_shared<Ahead>(count, make);
    for (int i = 0; i < 2; ++i) others.emplace_back([items] { items->help(); });
    return items;
  }
};

// All results of both passes, the rows of the batch taken `together` at a time.
Floats run(const Cell& cell, int64_t batch, int64_t steps, int64_t features, int64_t units, bool with_mask,
           bool with_dropout, bool reverse, int64_t together, const Schedule& schedule) {
  generator.seed(7);
  const Layout& layout = cell.layout;
  const int64_t columns = layout.gates * units, width = layout.values * round_up(units);
  const Floats x = random_floats(batch * steps * features), h = random_floats(batch * units);
  const Floats c = random_floats(batch * units), kernel = random_floats(features * columns);
  const Floats recurrent = random_floats(units * columns), bias = random_floats((1 + layout.recurrent_bias) * columns);
  const Floats d_outputs = random_floats(batch * steps * units), dropout = random_floats(batch * units);
  std::vector<char> mask(batch * steps);
  for (char& one : mask) one = generator() % 2;

  Recurrence recurrence{};
  recurrence.batch = batch;
  recurrence.steps = steps;
  recurrence.features = features;
  recurrence.units = units;
  recurrence.reverse = reverse;
  recurrence.mask = with_mask ? reinterpret_cast<const bool*>(mask.data()) : nullptr;
  recurrence.dropout = with_dropout ? dropout.data() : nullptr;
  recurrence.initial[0] = h.data();
  recurrence.initial[1] = c.data();

  Floats outputs(batch * steps * units), final_h(batch * units), final_c(batch * units);
  Floats values(layout.saves ? steps * batch * width : 0);
  Forward f{};
  static_cast<Recurrence&>(f) = recurrence;
  std::vector<Pack> packs;
  packs.emplace_back(kernel.data(), features, layout, units, layout.kernel);
  for (int i = 0; i < layout.products; ++i)
    packs.emplace_back(recurrent.data(), units, layout, units, layout.recurrent[i].gates);
  pack_all(packs);
  f.inputs = x.data();
  f.kernel = packs[0].panels;
  for (int i = 0; i < layout.products; ++i) f.recurrent[i] = packs[1 + i].panels;
  f.outputs = outputs.data();
  f.final_states[0] = final_h.data();
  f.final_states[1] = final_c.data();
  for (float* kept : {static_cast<float*>(nullptr), layout.saves ? values.data() : nullptr}) {
    f.values = kept;
    f.value_count = layout.values;
    const Buffer start = start_values(bias.data(), layout, units, f.places());
    f.start = start.data();
    for (int64_t row = 0; row < batch; row += together) cell.forward(f, row, std::min(batch, row + together), schedule);
  }

  // In place over the values where the cell saves any, as the op does.
  Floats fresh(layout.saves ? 0 : steps * batch * width);
  Floats d_h(batch * units), d_c(batch * units), squares(steps * batch * recurrence.parts());
  Backward b{};
  static_cast<Recurrence&>(b) = recurrence;
  std::vector<PackTransposed> transposed;
  for (int i = 0; i < layout.products; ++i)
    transposed.emplace_back(recurrent.data(), units, layout, units, layout.recurrent[i].gates);
  pack_all(transposed);
  for (int i = 0; i < layout.products; ++i) b.recurrent[i] = transposed[i].panels;
  b.outputs = outputs.data();
  b.values = layout.saves ? values.data() : nullptr;
  b.d_outputs = d_outputs.data();
  b.d_final[0] = h.data();
  b.d_final[1] = c.data();
  b.clip = with_mask ? 0.5f : std::numeric_limits<float>::infinity();
  b.gradients = layout.saves ? values.data() : fresh.data();
  b.d_initial[0] = d_h.data();
  b.d_initial[1] = d_c.data();
  b.squares = squares.data();
  for (int64_t row = 0; row < batch; row += together) cell.backward(b, row, std::min(batch, row + together), schedule);

  Floats d_x(batch * steps * features), d_kernel(features * columns), d_recurrent(units * columns);
  Floats d_bias(bias.size());
  InputGradient i{};
  static_cast<Recurrence&>(i) = recurrence;
  std::vector<PackTransposed> of_kernel;
  of_kernel.emplace_back(kernel.data(), features, layout, units, layout.kernel);
  pack_all(of_kernel);
  i.layout = &layout;
  i.gradients = b.gradients;
  i.positions = Positions(recurrence);
  i.kernel = of_kernel[0].panels;
  i.d_inputs = d_x.data();
  const int64_t positions = i.positions.size();
  for (int64_t first = 0; first < positions; first += 2 * together)
    input_gradient(i, first, std::min(positions, first + 2 * together));
  WeightGradients w{};
  static_cast<Recurrence&>(w) = recurrence;
  w.layout = &layout;
  w.inputs = x.data();
  w.outputs = outputs.data();
  w.gradients = b.gradients;
  w.positions = i.positions;
  w.d_kernel = d_kernel.data();
  w.d_recurrent = d_recurrent.data();
  w.d_bias = d_bias.data();
  for (int number = -1; number < layout.products; ++number) {
    const int64_t rows = number < 0 ? features : units;
    for (int64_t row = 0; row < rows; row += 3 * together)
      weight_gradient(w, number, row, std::min(rows, row + 3 * together));
  }

  Floats all;
  for (const Floats& part :
       {outputs, final_h, final_c, d_h, d_c, squares, d_x, d_kernel, d_recurrent, d_bias})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

int main() {
  int runs = 0;
  for (const Cell* cell : {&simple_rnn, &gru, &gru_reset_after, &lstm})
    for (int64_t batch : {1, 7, 13})
      for (int64_t steps : {0, 5, 67})
        for (auto shape : {std::pair<int64_t, int64_t>{1, 1}, {3, 15}, {17, 16}, {16, 33}, {65, 70}, {3, 130}})
          for (int options = 0; options < 8; ++options) {
            const auto once = [&](int64_t together, const Schedule& schedule) {
              return run(*cell, batch, steps, shape.first, shape.second, options & 1, options & 2, options & 4,
                         together, schedule);
            };
            const Floats all = once(batch, Schedule{});
            std::vector<Floats> others = {once(1, Schedule{}), once(2, Schedule{}), once(3, Schedule{})};
            if (steps == 5) {
              others.push_back(once(batch, Schedule{on_threads<1>}));
              others.push_back(once(batch, Schedule{on_threads<2>}));
            }
            if (steps == 67 && batch == 1) {
              TwoAhead two;
              others.push_back(once(batch, Schedule{in_one_thread, std::ref(two)}));
            }
            for (const Floats& other : others) {
              if (std::memcmp(all.data(), other.data(), all.size() * sizeof(float)) != 0) {
                std::printf("results depend on who computes them: batch %d, steps %d, features %d, units %d\n",
                            int(batch), int(steps), int(shape.first), int(shape.second));
                return 1;
              }
            }
            ++runs;
          }
  std::printf("%d shapes and options, no complaint\n", runs);
}
